"""Interactors: what happens between picture and words at the Bridger's common width.

ETRIS (Xu et al., 2023), section 3.2 and released code. Each of the two modalities has its own
interactor and asks the other one; both see what was there before, so the order does not matter.
No positions are added, and padding takes part unless a mask says otherwise (the released code has
none).
"""

from torch import Tensor, nn

from risbook.towers.attention import MultiHeadAttention

Record = dict[str, Tensor]


class Interactor(nn.Module):
    """The form for ResNets: self-attention, cross-attention, feed-forward, a norm after each.

    Args:
        width: width D of both modalities' tokens.
        heads: attention heads.
        hidden: width of the feed-forward layer; 128 in the released code.
        dropout: everywhere, the attention weights included; 0.1 in the released code.
    """

    def __init__(self, width: int, heads: int, *, hidden: int = 128, dropout: float = 0.1) -> None:
        super().__init__()
        self.self_attn = MultiHeadAttention(width, heads, dropout=dropout)
        self.multihead_attn = MultiHeadAttention(width, heads, dropout=dropout)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)
        _start(self)

    def forward(
        self,
        target: Tensor,
        memory: Tensor,
        *,
        target_padding: Tensor | None = None,
        memory_padding: Tensor | None = None,
        record: Record | None = None,
    ) -> Tensor:
        """Let `target` (B, N, D) look at itself and at `memory` (B, M, D).

        Args:
            target: what asks.
            memory: what is asked.
            target_padding: bool (B, N), true where nobody looks.
            memory_padding: bool (B, M), the same.
            record: gets the weights of the cross-attention as "attention", (B, heads, N, M).

        Returns:
            (B, N, D).
        """
        drop = self.dropout
        seen = self.self_attn(target, target, target, padding=target_padding)
        target = self.norm1(target + drop(seen))
        seen = self.multihead_attn(target, memory, memory, padding=memory_padding, record=record)
        target = self.norm2(target + drop(seen))
        seen = self.linear2(drop(self.linear1(target).relu()))
        output: Tensor = self.norm3(target + drop(seen))
        return output


class InteractorT(nn.Module):
    """The form for transformers: the target times what cross-attention found, and nothing else.

    The paper describes only the other form; the authors left the rest out here because it worked
    without (their answer in issue 14 of the released code's repository).

    Args:
        width: width D of both modalities' tokens.
        heads: attention heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.multihead_attn = MultiHeadAttention(width, heads)
        _start(self)

    def forward(
        self,
        target: Tensor,
        memory: Tensor,
        *,
        target_padding: Tensor | None = None,
        memory_padding: Tensor | None = None,
        record: Record | None = None,
    ) -> Tensor:
        """The same as `Interactor`; the target does not look at itself."""
        found: Tensor = self.multihead_attn(
            target, memory, memory, padding=memory_padding, record=record
        )
        return target * found


def _start(module: nn.Module) -> None:
    """Draw linear weights as the released code does: normal, deviation 0.02, biases 0."""
    for one in module.modules():
        if isinstance(one, nn.Linear):  # the attention's output projections are linear layers too
            nn.init.normal_(one.weight, std=0.02)
            nn.init.zeros_(one.bias)
