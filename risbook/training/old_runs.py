"""Earlier names in the files of a run: its configuration, its state and its log."""

from collections.abc import Mapping
from typing import Any

from risbook.config import Aliases


def _bridger_multiplier(value: Any) -> Mapping[str, Any]:
    return {} if value == 1 else {"lr_multipliers": {"bridgers": value}}


#: old names of fields of `TrainingConfig`, in result files of the first edition, and today's
OLD_NAMES: Aliases = {
    "images": "image_folder",
    "changes": "overrides",
    "batch": "batch_size",
    "bridger_multiplier": _bridger_multiplier,
    "checkpoint_every": "save_every",
    "validate_on": "eval_splits",
    "validate_every": "eval_every",
    "validate_limit": "eval_limit",
    "keep_images": "cache_images",
    "workers": "num_workers",
    "text": "text_kind",
}


def rename_counters(values: Mapping[str, Any]) -> dict[str, Any]:
    """The counters of a saved state; those of the first edition had one loss."""
    counters = dict(values)
    if "loss_sum" in counters:
        counters["loss_sums"] = {"loss": counters.pop("loss_sum")}
        counters["loss_counts"] = {"loss": counters.pop("loss_count")}
    return counters


def rename_kind(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a log; rows of evaluations were of kind "validation"."""
    return {**row, "kind": "evaluation"} if row.get("kind") == "validation" else dict(row)
