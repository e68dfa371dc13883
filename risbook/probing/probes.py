"""What frozen features know, asked in the two simplest ways: by neighbours and by a linear map.

Both learn from features of training scenes with known labels and answer for held-out scenes:

- k-NN, as DINO does it (Caron et al., "Emerging Properties in Self-Supervised Vision
  Transformers", ICCV 2021, section 4.1; ``eval_knn.py`` of the release): the k = 20 training
  vectors of highest cosine similarity vote, each with weight exp(similarity / 0.07).
- a linear probe: multinomial logistic regression on standardised features, fitted with L-BFGS, as
  CLIP does it (Radford et al., 2021, section 3.2 and appendix A.3).

The same functions serve patches (what lies under this patch?) and whole pictures (what is on this
crop?). Classes are of very different size, the background of a scene above all, so a `ProbeScore`
always holds the mean over classes beside the plain accuracy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from risbook.errors import DataError

#: DINO's number of neighbours and temperature.
NEIGHBOURS, TEMPERATURE = 20, 0.07
#: Weight of half the squared length of the linear map, beside a mean cross-entropy.
PENALTY = 1e-3
_STEPS = 100
_CHUNK = 1024

Method = Literal["knn", "linear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeScore:
    """Answers of a probe, counted.

    Args:
        names: names of the classes.
        confusion: ``confusion[truth][answer]``, number of cases.
    """

    names: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def count(self) -> int:
        """Number of cases."""
        return sum(map(sum, self.confusion))

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return sum(self.confusion[i][i] for i in range(len(self.names))) / max(1, self.count)

    @property
    def most_frequent(self) -> float:
        """Accuracy of always answering the class that is most frequent among the cases."""
        return max(map(sum, self.confusion)) / max(1, self.count)

    @property
    def mean_class_accuracy(self) -> float:
        """Mean over the classes that occur of their share of right answers; chance is 1 / count."""
        return _mean([row["accuracy"] for row in self.per_class().values()])

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that occur: right / (truth or answer)."""
        return _mean([row["IoU"] for row in self.per_class().values()])

    def per_class(self) -> dict[str, dict[str, float]]:
        """Name -> count, accuracy and IoU of every class that occurs among the cases."""
        table = {}
        for i, name in enumerate(self.names):
            truth, right = sum(self.confusion[i]), self.confusion[i][i]
            answers = sum(row[i] for row in self.confusion)
            if truth:
                table[name] = {
                    "count": truth,
                    "accuracy": right / truth,
                    "IoU": right / (truth + answers - right),
                }
        return table

    def as_dict(self) -> dict[str, float]:
        """The figures by the names that tables print."""
        return {
            "count": self.count,
            "accuracy": self.accuracy,
            "most frequent": self.most_frequent,
            "mean class accuracy": self.mean_class_accuracy,
            "mIoU": self.miou,
        }


@dataclass(frozen=True, slots=True)
class LinearMap:
    """A fitted linear probe.

    Args:
        mean: (C,), mean of the training features.
        scale: (C,), their standard deviation.
        weight: (C, K).
        bias: (K,).
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """Logits (N, K) of features (N, C)."""
        return ((features.float() - self.mean) / self.scale) @ self.weight + self.bias


def fit_linear(
    features: Tensor, labels: Tensor, classes: int, *, penalty: float = PENALTY
) -> LinearMap:
    """Fit multinomial logistic regression; starts at zero, so nothing is left to chance.

    Args:
        features: (N, C).
        labels: (N,), from 0 to classes - 1.
        classes: number K of classes.
        penalty: weight of half the squared length of the map.

    Returns:
        The map.
    """
    features = features.detach().float()
    mean, scale = features.mean(0), features.std(0, correction=0).clamp_min(1e-6)
    inputs = (features - mean) / scale
    # The caller may stand in torch.no_grad() or inference_mode(); fitting needs gradients.
    with torch.inference_mode(False), torch.enable_grad():
        inputs, targets = inputs.clone(), labels.clone()
        weight = torch.zeros(inputs.shape[1], classes, device=inputs.device, requires_grad=True)
        bias = torch.zeros(classes, device=inputs.device, requires_grad=True)
        optimiser = torch.optim.LBFGS(
            [weight, bias], max_iter=_STEPS, history_size=10, line_search_fn="strong_wolfe"
        )

        def loss() -> Tensor:
            optimiser.zero_grad()
            value = F.cross_entropy(inputs @ weight + bias, targets)
            value = value + penalty / 2 * weight.square().sum()
            value.backward()  # type: ignore[no-untyped-call]
            return value

        optimiser.step(loss)  # type: ignore[no-untyped-call]
    return LinearMap(mean, scale, weight.detach(), bias.detach())


@torch.no_grad()
def knn_answers(
    train_features: Tensor,
    train_labels: Tensor,
    features: Tensor,
    classes: int,
    *,
    neighbours: int = NEIGHBOURS,
    temperature: float = TEMPERATURE,
) -> Tensor:
    """Let the nearest training vectors vote.

    Args:
        train_features: (N, C).
        train_labels: (N,), from 0 to classes - 1.
        features: (M, C).
        classes: number of classes.
        neighbours: how many vote; all N where there are fewer.
        temperature: a vote weighs exp(cosine similarity / temperature).

    Returns:
        int64 (M,), the class with most votes.
    """
    known = F.normalize(train_features.float(), dim=1)
    answers = [torch.zeros(0, dtype=torch.int64, device=features.device)]
    for start in range(0, len(features), _CHUNK):
        some = features[start : start + _CHUNK].float()
        similarity = F.normalize(some, dim=1) @ known.T
        near, index = similarity.topk(min(neighbours, len(known)), dim=1)
        votes = torch.zeros(len(some), classes, device=some.device)
        votes.scatter_add_(1, train_labels[index], (near / temperature).exp())
        answers.append(votes.argmax(1))
    return torch.cat(answers)


def probe(
    train_x: Tensor,
    train_y: Tensor,
    test_x: Tensor,
    test_y: Tensor,
    *,
    names: Sequence[str],
    method: Method = "linear",
) -> ProbeScore:
    """Learn from some vectors and answer for others.

    Args:
        train_x: (N, C) features to learn from.
        train_y: (N,) their classes, indices of `names`; cases with -1 are left out.
        test_x: (M, C) features to answer for.
        test_y: (M,) their classes, -1 left out.
        names: names of the classes.
        method: "linear" or "knn".

    Returns:
        The counted answers.

    Raises:
        DataError: shapes, labels or the method do not fit.
    """
    if method not in ("linear", "knn"):
        raise DataError(f"method: unknown {method!r}, choose linear or knn")
    train_x, train_y = _checked("training", train_x, train_y, len(names))
    test_x, test_y = _checked("test", test_x, test_y, len(names))
    if train_x.shape[1] != test_x.shape[1]:
        raise DataError(
            f"training features have {train_x.shape[1]} numbers, test features {test_x.shape[1]}"
        )
    if method == "knn":
        answers = knn_answers(train_x, train_y, test_x, len(names))
    else:
        answers = fit_linear(train_x, train_y, len(names))(test_x).argmax(1)
    pairs = torch.bincount(test_y * len(names) + answers, minlength=len(names) ** 2)
    confusion = pairs.reshape(len(names), len(names)).tolist()
    return ProbeScore(names=tuple(names), confusion=tuple(map(tuple, confusion)))


def linear_probe(
    train_x: Tensor, train_y: Tensor, test_x: Tensor, test_y: Tensor, *, names: Sequence[str]
) -> ProbeScore:
    """`probe` with the linear map; for instance the kind of thing from a crop's image vector."""
    return probe(train_x, train_y, test_x, test_y, names=names, method="linear")


def knn_probe(
    train_x: Tensor, train_y: Tensor, test_x: Tensor, test_y: Tensor, *, names: Sequence[str]
) -> ProbeScore:
    """`probe` with the k nearest neighbours."""
    return probe(train_x, train_y, test_x, test_y, names=names, method="knn")


def as_cases(
    features: Tensor, labels: Tensor, *, limit: int = 0, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Lay the patches of some scenes in a row, without those that have no label.

    Args:
        features: (scenes, h, w, C) patch features.
        labels: (scenes, h, w), -1 without a label.
        limit: keep at most so many patches, drawn evenly from all; 0 for all.
        seed: chooses them.

    Returns:
        Features (N, C) and labels (N,).

    Raises:
        DataError: shapes do not fit.
    """
    if features.ndim != 4 or features.shape[:3] != labels.shape:
        raise DataError(
            f"patch features (scenes, h, w, C) and labels (scenes, h, w) do not fit: "
            f"{tuple(features.shape)} and {tuple(labels.shape)}"
        )
    index = (labels.flatten() >= 0).nonzero()[:, 0]
    if limit and limit < len(index):
        dice = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(index), generator=dice)[:limit].sort().values
        index = index[chosen.to(index.device)]
    return features.flatten(0, 2)[index.to(features.device)], labels.flatten()[index]


def patch_probe(
    train_features: Tensor,
    train_labels: Tensor,
    test_features: Tensor,
    test_labels: Tensor,
    *,
    names: Sequence[str],
    method: Method = "linear",
    train_limit: int = 50_000,
) -> ProbeScore:
    """Probe patch features: learn from training scenes, segment held-out ones.

    Args:
        train_features: (scenes, h, w, C).
        train_labels: (scenes, h, w), indices of `names`, -1 left out.
        test_features: (scenes, h, w, C) of other scenes.
        test_labels: (scenes, h, w).
        names: names of the classes, see `patch_labels.LABEL_NAMES`.
        method: "linear" or "knn".
        train_limit: learn from at most so many patches; 0 for all.

    Returns:
        The counted answers for all labelled test patches.

    Raises:
        DataError: shapes, labels or the method do not fit.
    """
    train_x, train_y = as_cases(train_features, train_labels, limit=train_limit)
    test_x, test_y = as_cases(test_features, test_labels)
    return probe(train_x, train_y, test_x, test_y, names=names, method=method)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _checked(what: str, x: Tensor, y: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise DataError(
            f"{what} features (N, C) and labels (N,) do not fit: "
            f"{tuple(x.shape)} and {tuple(y.shape)}"
        )
    kept = y >= 0
    x, y = x[kept.to(x.device)], y[kept].to(x.device)
    if not len(y):
        raise DataError(f"{what}: there is no labelled case")
    if int(y.max()) >= classes:
        raise DataError(f"{what}: label {int(y.max())}, but there are {classes} names")
    if not bool(torch.isfinite(x).all()):
        raise DataError(f"{what} features are not finite")
    return x.detach(), y.long()
