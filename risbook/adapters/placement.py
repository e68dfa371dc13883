"""Where an adapter stands at a branch of a block: after its output, or beside it.

Adapters are pure modules of tensors. A `Placement` is the thin layer that knows a tower's `Site`; a
system with another wiring brings a placement of its own. An adapter that reads the text needs one.
This one multiplies what a branch adds by a gate from the mean of the text tokens, without padding:

>>> import torch
>>> from torch import nn
>>> from risbook.adapters import Placement
>>> from risbook.errors import ArgumentError
>>> from risbook.towers import StageContext, build_tower
>>> class TextGate(nn.Module):
...     def __init__(self, embed_dim, text_dim):
...         super().__init__()
...         self.linear = nn.Linear(text_dim, embed_dim)
...     def forward(self, tokens, text_tokens, key_padding_mask=None):
...         weights = torch.ones_like(text_tokens[:, :, 0])  # (B, L)
...         if key_padding_mask is not None:
...             weights = (~key_padding_mask).to(text_tokens.dtype)
...         weights = weights / weights.sum(dim=1, keepdim=True)
...         mean = (text_tokens * weights[:, :, None]).sum(dim=1)  # (B, L, T) to (B, T)
...         return tokens * self.linear(mean).sigmoid()[:, None]
>>> class Gated(Placement):
...     def forward(self, site):
...         if site.context is None:
...             raise ArgumentError("the gate reads the text: call the tower with context=")
...         tokens, context = site.scale(site.out), site.context
...         return self.adapter(tokens, context.text_tokens, context.key_padding_mask)
>>> tower = build_tower("dinov2-mini", weights="random")
>>> tower.add_adapter(0, "mlp", Gated(TextGate(tower.embed_dim, text_dim=16)))
>>> context = StageContext(text_tokens=torch.zeros(2, 5, 16))
>>> tower(torch.zeros(2, 3, 96, 96), context=context).maps[0].shape
torch.Size([2, 128, 12, 12])

`register_peft_method` gives a name to a function that adds such adapters to a tower, so that
`apply_peft` finds it. Checkpoints then hold the name; `save_pretrained` refuses adapters of no
named method. A system fills the option `text_dim` with the channels of its text tokens::

    def add_text_gates(tower, *, text_dim: int):
        tower.add_adapter(0, "mlp", Gated(TextGate(tower.embed_dim, text_dim)))
    register_peft_method("text-gate", PEFTMethod(summary="text gate", function=add_text_gates))

In ETRIS, the context holds the text tokens and the feature map that enter the same stage of their
towers, and which of the tokens are padding.
"""

from torch import Tensor

from risbook.towers.sites import Placement, Site


class Serial(Placement):
    """After the branch: scale(out) + adapter(scale(out)), see `Site`."""

    def forward(self, site: Site) -> Tensor:
        """The sum that the block adds to its tokens, (B, N, C)."""
        out = site.scale(site.out)
        adapted: Tensor = self.adapter(out)
        return out + adapted


class Parallel(Placement):
    """Beside the branch: scale(out) + adapter(x), see `Site`."""

    def forward(self, site: Site) -> Tensor:
        """The sum that the block adds to its tokens, (B, N, C)."""
        adapted: Tensor = self.adapter(site.x)
        return site.scale(site.out) + adapted
