"""Earlier names in the configuration of a run, which result files still have."""

from collections.abc import Mapping
from typing import Any

from risbook.config import Aliases


def _bridger_multiplier(value: Any) -> Mapping[str, Any]:
    return {} if value == 1 else {"lr_multipliers": {"bridgers": value}}


#: old names of fields of `TrainingConfig`, and today's
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
