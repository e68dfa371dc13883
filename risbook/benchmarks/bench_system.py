"""A system to measure: with its trained weights, or those of its towers, or random ones."""

from dataclasses import dataclass, replace
from typing import Literal

from risbook.benchmarks.hashed_tokenizer import HashedTokenizer
from risbook.systems import System
from risbook.systems.checkpoints import list_shipped, load_system
from risbook.systems.system_preset import BuildInputs
from risbook.systems.system_presets import build_named, build_system, system_config
from risbook.systems.system_towers import PEFTSystemConfig
from risbook.towers.presets import get_tower_preset
from risbook.towers.weights.lookup import cached, local_folder

Weights = Literal["trained", "towers", "random", "initial"]

#: what each kind of weights means, in a line of the bench
EXPLANATIONS: dict[Weights, str] = {
    "trained": "trained weights of the package",
    "towers": "pretrained towers, random adapters and mask head: the masks mean nothing",
    "random": (
        "random weights, because the towers are not on this machine: the masks mean nothing, the "
        "speed is the same"
    ),
    "initial": "initial weights, because nothing was trained: the masks mean nothing",
}


@dataclass(frozen=True)
class BenchSystem:
    """A system and what its weights are.

    Args:
        system: on the CPU, in evaluation mode.
        weights: a key of `EXPLANATIONS`.
    """

    system: System
    weights: Weights


def build_bench_system(name: str) -> BenchSystem:
    """Build a preset without downloading anything.

    Args:
        name: a preset's name.

    Raises:
        ArgumentError: if there is no such preset.
    """
    config = system_config(name)
    if name in list_shipped():
        return BenchSystem(load_system(name), "trained")
    if not isinstance(config, PEFTSystemConfig):
        return BenchSystem(build_system(name).eval(), "initial")
    if all(is_on_machine(tower) for tower in (config.image_tower, config.text_tower)):
        return BenchSystem(build_system(name).eval(), "towers")
    tokenizer = None
    if not is_on_machine(config.text_tower):
        arguments = get_tower_preset(config.text_tower).all_arguments
        tokenizer = HashedTokenizer(length=config.max_tokens, vocab_size=arguments["vocab_size"])
    random_config = replace(config, weights="random")
    system = build_named(name, random_config, BuildInputs(tokenizer=tokenizer))
    return BenchSystem(system.eval(), "random")


def is_on_machine(tower: str) -> bool:
    """Whether a tower can be built with its weights and its vocabulary without a download."""
    if local_folder(tower, "auto") is not None:
        return True
    preset = get_tower_preset(tower)
    files = [file for file in (preset.hub, preset.vocabulary) if file is not None]
    return bool(files) and all(cached(file) is not None for file in files)
