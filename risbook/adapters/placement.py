"""Where an adapter stands at a branch of a block: after its output, or beside it.

Adapters are pure modules of tensors. A `Placement` is the thin layer that knows a tower's `Site`; a
system with another wiring brings a placement of its own. An adapter that reads the text needs one.
This one multiplies what a branch adds by a gate from the mean of the text tokens:

>>> import torch
>>> from torch import nn
>>> from risbook.adapters import Placement
>>> class TextGate(nn.Module):
...     def __init__(self, embed_dim, text_dim):
...         super().__init__()
...         self.linear = nn.Linear(text_dim, embed_dim)
...     def forward(self, tokens, text_tokens):
...         gate = self.linear(text_tokens.mean(dim=1)).sigmoid()  # (B, L, T) to (B, C)
...         return tokens * gate[:, None]
>>> class Gated(Placement):
...     def forward(self, site):
...         return self.adapter(site.scale(site.out), site.context.text_tokens)
>>> from risbook.towers import StageContext, build_tower
>>> tower = build_tower("dinov2-mini", weights="random")
>>> tower.add_adapter(0, "mlp", Gated(TextGate(tower.embed_dim, text_dim=16)))
>>> context = StageContext(text_tokens=torch.zeros(2, 5, 16))
>>> tower(torch.zeros(2, 3, 96, 96), context=context).maps[0].shape
torch.Size([2, 128, 12, 12])

`risbook.adapters.register_peft_method` gives a name to a function that adds such adapters to a
tower. Checkpoints then hold the name; `save_pretrained` refuses adapters of no named method.

In ETRIS, the context holds the text tokens and the feature map that enter the same stage of their
towers, and which of the tokens are padding.
"""

from torch import Tensor

from risbook.towers.sites import Placement, Site


class Serial(Placement):
    """After the branch: out + adapter(out), with out after LayerScale; tokens (B, N, C) both."""

    def forward(self, site: Site) -> Tensor:
        """The sum that the block adds to its tokens, (B, N, C)."""
        out = site.scale(site.out)
        adapted: Tensor = self.adapter(out)
        return out + adapted


class Parallel(Placement):
    """Beside the branch: out + adapter(x), with x before the norm of the branch, (B, N, C)."""

    def forward(self, site: Site) -> Tensor:
        """The sum that the block adds to its tokens, (B, N, C)."""
        adapted: Tensor = self.adapter(site.x)
        return site.scale(site.out) + adapted
