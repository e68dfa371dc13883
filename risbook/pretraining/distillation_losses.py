"""The terms of self-distillation: targets over prototypes, their cross-entropy, and KoLeo."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@torch.no_grad()
def sinkhorn(logits: Tensor, temperature: float, iterations: int = 3) -> Tensor:
    """Turn the teacher's logits into targets that use every prototype equally.

    Args:
        logits: (B, K).
        temperature: divides the logits; smaller is sharper.
        iterations: how often columns and rows are scaled in turn.

    Returns:
        (B, K), rows sum to 1.

    >>> targets = sinkhorn(torch.tensor([[2.0, 1.0], [1.0, 0.0]]), 1.0, iterations=20)
    >>> targets.sum(dim=0).round(decimals=2).tolist()
    [1.0, 1.0]
    """
    scores = logits.float() / temperature
    targets = torch.exp(scores - scores.max())
    for _ in range(iterations):
        targets = targets / targets.sum(dim=0, keepdim=True).clamp(min=1e-12)
        targets = targets / targets.sum(dim=1, keepdim=True).clamp(min=1e-12)
    return targets


def distillation_loss(logits: Tensor, targets: Tensor, temperature: float = 0.1) -> Tensor:
    """Cross-entropy of the student's logits (B, K) with the teacher's targets (B, K)."""
    return -(targets * F.log_softmax(logits.float() / temperature, dim=-1)).sum(dim=-1).mean()


def koleo_loss(vectors: Tensor) -> Tensor:
    """Minus the mean log distance of every vector (B, C) to its nearest neighbour in the batch.

    Spreading vectors for similarity search (Sablayrolles et al., 2019), equation 3.
    """
    unit = F.normalize(vectors.float(), dim=-1)
    cosine = (unit @ unit.T).detach().fill_diagonal_(-1)
    nearest = cosine.argmax(dim=1)
    return -torch.log((unit - unit[nearest]).norm(dim=1) + 1e-6).mean()


class ProjectionHead(nn.Module):
    """Three layers, a unit vector, and its cosines with K prototypes (DINO's head).

    Args:
        embed_dim: width of the tokens.
        hidden_dim: width of the layers between.
        bottleneck_dim: width of the unit vector.
        num_prototypes: number K of prototypes.
    """

    def __init__(
        self, *, embed_dim: int, hidden_dim: int, bottleneck_dim: int, num_prototypes: int
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(embed_dim, hidden_dim),
            nn.GELU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.GELU(),
            nn.Linear(hidden_dim, bottleneck_dim),
        )
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
                nn.init.zeros_(layer.bias)
        self.prototypes = nn.Parameter(torch.randn(num_prototypes, bottleneck_dim))

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (..., C) to logits (..., K) between -1 and 1."""
        unit = F.normalize(self.layers(tokens).float(), dim=-1)
        return unit @ F.normalize(self.prototypes.float(), dim=-1).T
