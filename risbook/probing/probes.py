"""Probes of frozen features: k nearest neighbours and a linear map.

Both learn from features of training scenes with known labels and predict for held-out scenes:

- k-NN, as DINO does it (Caron et al., "Emerging Properties in Self-Supervised Vision
  Transformers", ICCV 2021, section 4.1; ``eval_knn.py`` of the release): the k = 20 training
  vectors of highest cosine similarity vote, each with weight exp(similarity / 0.07).
- a linear probe: multinomial logistic regression on standardised features, fitted with L-BFGS, as
  CLIP does it (Radford et al., 2021, section 3.2 and appendix A.3).

The same functions serve patches and whole images. Classes are of very different size, the
background of a scene above all, so a `ProbeScore` always holds the mean over classes beside the
plain accuracy.
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
#: Weight of half the squared norm of the linear map, beside a mean cross-entropy.
PENALTY = 1e-3
_STEPS = 100
_CHUNK = 1024

Method = Literal["knn", "linear"]
METHODS: tuple[Method, ...] = ("knn", "linear")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeScore:
    """Predictions of a probe, counted.

    Args:
        names: names of the classes.
        confusion: ``confusion[truth][prediction]``, number of cases.
    """

    names: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def count(self) -> int:
        """Number of cases."""
        return sum(map(sum, self.confusion))

    @property
    def accuracy(self) -> float:
        """Share of correct predictions."""
        return sum(self.confusion[i][i] for i in range(len(self.names))) / max(1, self.count)

    @property
    def most_frequent(self) -> float:
        """Accuracy of always predicting the class that is most frequent among the cases."""
        return max(map(sum, self.confusion)) / max(1, self.count)

    @property
    def mean_class_accuracy(self) -> float:
        """Mean accuracy over the K classes that occur; chance is 1 / K."""
        return _mean([row["accuracy"] for row in self.per_class().values()])

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that occur: correct / (truth or prediction)."""
        return _mean([row["IoU"] for row in self.per_class().values()])

    def per_class(self) -> dict[str, dict[str, float]]:
        """Name -> count, accuracy and IoU of every class that occurs among the cases."""
        figures = {}
        for i, name in enumerate(self.names):
            truth, correct = sum(self.confusion[i]), self.confusion[i][i]
            predicted = sum(row[i] for row in self.confusion)
            if truth:
                figures[name] = {
                    "count": truth,
                    "accuracy": correct / truth,
                    "IoU": correct / (truth + predicted - correct),
                }
        return figures

    def as_dict(self) -> dict[str, float]:
        """All figures, by the names that tables print."""
        return {
            "count": self.count,
            "accuracy": self.accuracy,
            "most frequent": self.most_frequent,
            "mean class accuracy": self.mean_class_accuracy,
            "mIoU": self.miou,
        }


@dataclass(frozen=True, slots=True)
class LinearProbe:
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
) -> LinearProbe:
    """Fit multinomial logistic regression; starts at zero, so it is deterministic.

    Args:
        features: (N, C).
        labels: (N,), from 0 to classes - 1.
        classes: number K of classes.
        penalty: weight of half the squared norm of the weight matrix.
    """
    features = features.detach().float()
    mean, scale = features.mean(0), features.std(0, correction=0).clamp_min(1e-6)
    inputs = (features - mean) / scale
    # The caller may be inside torch.no_grad() or inference_mode(); fitting needs gradients.
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
    return LinearProbe(mean, scale, weight.detach(), bias.detach())


@torch.no_grad()
def knn_predict(
    train_features: Tensor,
    train_labels: Tensor,
    features: Tensor,
    classes: int,
    *,
    neighbours: int = NEIGHBOURS,
    temperature: float = TEMPERATURE,
) -> Tensor:
    """Predict by a vote of the nearest training vectors.

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
    keys = F.normalize(train_features.float(), dim=1)
    predictions = [torch.zeros(0, dtype=torch.int64, device=features.device)]
    for start in range(0, len(features), _CHUNK):
        queries = features[start : start + _CHUNK].float()
        similarity = F.normalize(queries, dim=1) @ keys.T
        nearest, index = similarity.topk(min(neighbours, len(keys)), dim=1)
        votes = torch.zeros(len(queries), classes, device=queries.device)
        votes.scatter_add_(1, train_labels[index], (nearest / temperature).exp())
        predictions.append(votes.argmax(1))
    return torch.cat(predictions)


def probe(
    train_x: Tensor,
    train_y: Tensor,
    test_x: Tensor,
    test_y: Tensor,
    *,
    names: Sequence[str],
    method: Method = "linear",
) -> ProbeScore:
    """Fit a probe on training features and score its predictions for test features.

    Args:
        train_x: (N, C) training features.
        train_y: (N,) their classes, indices of `names`; cases with -1 are left out.
        test_x: (M, C) test features.
        test_y: (M,) their classes, -1 left out.
        names: names of the classes.
        method: "linear" or "knn".

    Raises:
        DataError: shapes, labels or the method do not fit.
    """
    if method not in METHODS:
        raise DataError(f"method: unknown {method!r}, choose {' or '.join(METHODS)}")
    train_x, train_y = _labelled("training", train_x, train_y, len(names))
    test_x, test_y = _labelled("test", test_x, test_y, len(names))
    if train_x.shape[1] != test_x.shape[1]:
        raise DataError(
            f"training features have {train_x.shape[1]} numbers, test features {test_x.shape[1]}"
        )
    if method == "knn":
        predictions = knn_predict(train_x, train_y, test_x, len(names))
    else:
        predictions = fit_linear(train_x, train_y, len(names))(test_x).argmax(1)
    pairs = torch.bincount(test_y * len(names) + predictions, minlength=len(names) ** 2)
    confusion = pairs.reshape(len(names), len(names)).tolist()
    return ProbeScore(names=tuple(names), confusion=tuple(map(tuple, confusion)))


def labelled_patches(
    features: Tensor, labels: Tensor, *, limit: int = 0, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """List the patches of several scenes, without those that have no label.

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
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(index), generator=generator)[:limit].sort().values
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

    Features are (scenes, h, w, C), labels (scenes, h, w). The probe learns from at most
    `train_limit` patches, from all where it is 0. Names are for instance those of
    `patch_labels.LABEL_NAMES`; other arguments and errors are those of `probe`.
    """
    train_x, train_y = labelled_patches(train_features, train_labels, limit=train_limit)
    test_x, test_y = labelled_patches(test_features, test_labels)
    return probe(train_x, train_y, test_x, test_y, names=names, method=method)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _labelled(name: str, x: Tensor, y: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise DataError(
            f"{name} features (N, C) and labels (N,) do not fit: "
            f"{tuple(x.shape)} and {tuple(y.shape)}"
        )
    labelled = y >= 0
    x, y = x[labelled.to(x.device)], y[labelled].to(x.device)
    if not len(y):
        raise DataError(f"{name}: there is no labelled case")
    if int(y.max()) >= classes:
        raise DataError(f"{name}: label {int(y.max())}, but there are {classes} names")
    if not bool(torch.isfinite(x).all()):
        raise DataError(f"{name} features are not finite")
    return x.detach(), y.long()
