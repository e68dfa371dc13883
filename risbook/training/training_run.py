"""From a training's configuration to a checkpoint."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from accelerate.utils import set_seed

from risbook.config import to_values
from risbook.data.dataset import ReferData
from risbook.systems import System, save_system
from risbook.training.mask_objective import Loss, MaskObjective
from risbook.training.parameter_groups import optimizer_groups
from risbook.training.run_folder import RunFolder
from risbook.training.run_log import read_log
from risbook.training.schedule import milestone_lr, warmup_cosine_lr
from risbook.training.training_config import TrainingConfig
from risbook.training.training_loop import OnStep, TrainingLoop, build_accelerator

OptimizerFactory = Callable[..., torch.optim.Optimizer]


def train_system(
    config: TrainingConfig,
    folder: Path,
    *,
    resume: bool = False,
    show_progress: bool = True,
    on_step: OnStep | None = None,
    system: System | None = None,
    sources: Mapping[str, ReferData] | None = None,
    device: str | torch.device | None = None,
    loss: Loss | None = None,
    optimizer: OptimizerFactory = torch.optim.Adam,
) -> System:
    """Train a system and leave it in `folder`.

    The folder then holds the checkpoint (`model.safetensors`, `config.json`, `tokenizer.json`),
    the run's configuration (`training.json`), its log (`log.jsonl`) and its last state
    (`progress.pt`).

    Args:
        config: the run.
        folder: created if it does not exist; a run in the folder can only be resumed.
        resume: continue from the last state; on a CPU the result equals, bit for bit, that of a
            run without interruption.
        show_progress: show a progress bar.
        on_step: called after every step.
        system: a system to train further, in place of a new one of the configuration.
        sources: data sets by the names that the configuration has for them.
        device: "cpu" or "cuda"; None for a GPU if there is one.
        loss: see `MaskObjective`; a resumed run must be given the same.
        optimizer: makes the optimiser of groups of parameters and ``lr``; likewise.

    Returns:
        The trained system, in evaluation mode.

    Raises:
        RisbookError: for a folder that holds another run or a checkpoint, or in which another
            process trains, for a run that does not fit its resumption, and for a full disk.
        StoppedError: after SIGINT or SIGTERM; the state of the last step is saved.
        TrainingDivergedError: as soon as a loss is not finite; the last whole state stays.
    """
    run = RunFolder(folder)

    def differences(path: Path) -> list[str]:
        return config.difference(TrainingConfig.load(path))

    run.check(differences, resume=resume)
    # CUDA or CPU: recurrent networks on packed rows are untested on other devices.
    default = "cuda" if torch.cuda.is_available() else "cpu"
    accelerator = build_accelerator(config.precision, torch.device(device or default))
    is_main = accelerator.is_main_process
    try:
        if is_main:
            run.check_idle()
        set_seed(config.seed)
        objective = MaskObjective(
            config, accelerator=accelerator, system=system, sources=sources, loss=loss
        )
        system = objective.system
        groups, multipliers = optimizer_groups(system, config.lr_multipliers)
        # The folder is locked after the preparations, so that a run that fails in them leaves no
        # folder, and after every process has checked the folder.
        accelerator.wait_for_everyone()
        if is_main:
            run.begin(to_values(config), differences, resume=resume)
            if dropped := objective.samples.dropped:
                warnings.warn(
                    f"{dropped} objects are not trained on: another of the sets holds their image "
                    "out",
                    stacklevel=2,
                )
        TrainingLoop(
            objective,
            optimizer([{"params": group} for group in groups], lr=config.learning_rate),
            run,
            config,
            accelerator=accelerator,
            batches=objective.batches,
            learning_rates=lambda step: [
                _learning_rate(config, step, objective.epoch_steps, factor)
                for factor in multipliers
            ],
            resume=resume,
            show_progress=show_progress,
            on_step=on_step,
        ).run()
        if is_main:
            save_system(system, folder)
            system.history = read_log(run.log_file)
        accelerator.wait_for_everyone()
    finally:
        run.unlock()
    return system.eval()


def _learning_rate(config: TrainingConfig, step: int, epoch_steps: int, multiplier: float) -> float:
    """The learning rate of a group; it depends on the step only, also in a resumed run."""
    peak, steps = config.learning_rate, config.steps
    if config.schedule == "milestones":
        return milestone_lr(
            step, peak=peak, steps=steps, epoch_steps=epoch_steps, multiplier=multiplier
        )
    return warmup_cosine_lr(step, peak=multiplier * peak, steps=steps, warmup=config.warmup)
