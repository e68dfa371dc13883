"""``risbook train``: train a system and leave a checkpoint."""

import os
from pathlib import Path
from typing import Any

from risbook.training.training_config import TrainingConfig

#: whose fields are options, too
FIELDS = TrainingConfig


def train(system: str, *, out: Path | None = None, resume: bool = False, **fields: Any) -> None:
    """Train a system on one or several sets and leave a checkpoint.

    Args:
        system: its name; risbook params lists them.
        data: names that risbook data lists, for instance refscenes+, with -sample for the few
            scenes that come with the package, or folders in the REFER layout, with instances.json
            and refs(...).p.
        out: folder of the run (default: runs/ and the system's name).
        resume: continue the run in --out.
        overrides: fields of the system's configuration, for instance image_size=256.
        fields: those of `TrainingConfig`.

    for example:
      risbook train etris-mini                 as the checkpoint that comes with the package
      risbook train first-model --data refscenes refscenes+ --steps 10000 --out runs/first
      risbook train etris-mini --data refscenes-unseen --num-images 125 --out runs/few
      risbook train first-model --data path/to/refcoco --splits testA testB --out runs/overfit
      risbook train etris-rn50 --data path/to/refcoco --schedule milestones --learning-rate 1e-4 \\
          --steps 66250                        as ETRIS was released: 50 epochs of 42,404 objects
      risbook train etris-vitb16 --data path/to/refcoco --schedule milestones \\
          --learning-rate 1e-4 --steps 66250 \\
          --lr-multipliers bridgers=10         as its paper says for the transformer
      accelerate launch -m risbook train first-model ...          several GPUs

    Without --data a system that comes with the package is trained as its checkpoint was; options
    given beside it change that run.

    The run can be killed at any moment: the same command with --resume continues from the last
    state in --out, on a CPU to exactly the same weights.
    """
    from risbook.training.run import resolve_config, train_system

    config = resolve_config(system, **fields)
    out = out or Path("runs") / config.system
    train_system(config, out, resume=resume)
    if int(os.environ.get("RANK", "0")) == 0:
        print(f"checkpoint: {out}")
