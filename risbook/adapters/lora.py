"""LoRA: a low-rank change of the attention's weights, through the library `peft`.

Hu et al., 2022, "LoRA: low-rank adaptation of large language models", section 4.1: W x becomes
W x + (alpha / r) B A x, with A (r, in) random and B (out, r) zero at first. After training, the
change can be added into W, so that it costs nothing at inference.

`peft` wraps each projection, and names grow by it: `attn.qkv.weight` becomes
`attn.qkv.base_layer.weight`. So a tower's weights are loaded first and LoRA is added after.

PyTorch's own `nn.MultiheadAttention` is wrapped as a whole. It reads the weight of its output
projection and never calls it, so LoRA at this projection alone would have no effect.
"""

from collections.abc import Iterable, Sequence

from torch import nn

from risbook.config import Probability
from risbook.errors import ArgumentError, RisbookError
from risbook.towers.stages import StagedTower


def add_lora(
    tower: nn.Module,
    *,
    r: int = 8,
    lora_alpha: float | None = None,
    lora_dropout: Probability = 0.0,
    target_modules: Sequence[str] | str | None = None,
    modules_to_save: Sequence[str] | str = (),
) -> None:
    """Add LoRA to the projections of a tower's attention.

    A projection from C to D channels gets r (C + D) parameters. Query, key and value of the image
    tower are one projection, from C to 3 C, and share A: 6 r C per block; those of the text tower
    are three: 8 r C per block. In a ResNet only the attention pool has projections.

    Args:
        tower: a tower of risbook, or any module with linear layers.
        r: rank of the change.
        lora_alpha: the change is scaled by lora_alpha / r; None for a factor of 1.
        lora_dropout: probability that an input of A is dropped in training.
        target_modules: names of the linear layers or of whole `nn.MultiheadAttention`s, as peft
            takes them, for instance ["qkv"]; None for the projections of the attention, or all
            linear layers where there is none.
        modules_to_save: names of modules that are trained whole beside LoRA, as in peft, for
            instance ["head"] for the classifier of a timm model.

    Raises:
        ArgumentError: if the rank is below 1, the tower has LoRA already, or it has no layers of
            these names.
        RisbookError: if peft is not installed.
    """
    if r < 1:
        raise ArgumentError(f"r is {r}; LoRA needs a rank of at least 1")
    if hasattr(tower, "peft_config"):
        raise ArgumentError("this tower already has LoRA: make a new tower to add another one")
    whole = _find_modules(tower, modules_to_save)
    targets = _default_targets(tower, whole) if target_modules is None else target_modules
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise RisbookError(
            f'LoRA needs the library peft ({error}): install it by pip install "peft>=0.18"'
        ) from error

    tuned = [parameter for parameter in tower.parameters() if parameter.requires_grad]
    config = LoraConfig(
        r=r,
        lora_alpha=r if lora_alpha is None else lora_alpha,
        lora_dropout=lora_dropout,
        target_modules=targets,
    )
    try:
        inject_adapter_in_model(config, tower)
    except ValueError as error:  # peft found no layer of these names, or one that it cannot wrap
        raise ArgumentError(f"LoRA cannot change target_modules={targets!r}: {error}") from error
    _check_attention(tower)
    _avoid_fused_layers(tower)
    # peft freezes all that is not LoRA; other tuned parameters stay tuned.
    for parameter in tuned:
        parameter.requires_grad_(True)
    # peft would train a copy; we train the module itself, so its names in the state do not change.
    for module in whole.values():
        module.requires_grad_(True)


def _find_modules(tower: nn.Module, names: Sequence[str] | str) -> dict[str, nn.Module]:
    """The modules of these names, by their whole names; "head" is "head" and "decoder.head"."""
    modules: dict[str, nn.Module] = {}
    for wanted in [names] if isinstance(names, str) else names:
        matches = {
            name: module
            for name, module in tower.named_modules()
            if name == wanted or name.endswith(f".{wanted}")
        }
        if not matches:
            raise ArgumentError(f"modules_to_save: {type(tower).__name__} has no module {wanted!r}")
        modules |= matches
    return modules


def _check_attention(tower: nn.Module) -> None:
    """Refuse LoRA where an `nn.MultiheadAttention` would not use it."""
    from peft.tuners.lora import LoraLayer

    modules = dict(tower.named_modules())
    for name, layer in modules.items():
        if not isinstance(layer, LoraLayer):
            continue
        base = layer.base_layer
        if isinstance(base, nn.MultiheadAttention) and type(base) is not nn.MultiheadAttention:
            raise ArgumentError(
                f"LoRA cannot change {name}: {type(base).__name__} computes attention in a way of "
                "its own; name linear layers as target_modules"
            )
        parent_name = name.rpartition(".")[0]
        whole = modules.get(parent_name.rpartition(".")[0])  # peft's wrapper of the attention
        if isinstance(modules[parent_name], nn.MultiheadAttention) and not (
            isinstance(whole, LoraLayer) and whole.base_layer is modules[parent_name]
        ):
            raise ArgumentError(
                f"LoRA at {name} would have no effect, because the attention reads this layer's "
                f"weight and does not call the layer: name the attention itself, {parent_name!r}"
            )


def _avoid_fused_layers(tower: nn.Module) -> None:
    """Let PyTorch's encoder layers call their children in evaluation mode, too.

    There a fused kernel reads the weights, without LoRA; it is used for ReLU and GELU alone, and
    nested tensors by it alone.
    """
    for module in tower.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0
        elif isinstance(module, nn.TransformerEncoder):
            module.use_nested_tensor = False


def _default_targets(tower: nn.Module, whole: Iterable[str]) -> list[str] | str:
    if isinstance(tower, StagedTower) and tower.lora_targets:
        return tower.lora_targets
    attentions = {
        name: layer
        for name, layer in tower.named_modules()
        if isinstance(layer, nn.MultiheadAttention) and name
    }
    excluded = tuple(f"{name}." for name in (*whole, *attentions))
    names = [
        name
        for name, layer in tower.named_modules()
        if isinstance(layer, nn.Linear) and name and not f"{name}.".startswith(excluded)
    ]
    attention = [name for name in names if "attn" in name or "attention" in name]
    # peft can wrap PyTorch's own attention, if query, key and value have the same channels
    attention += [
        name
        for name, layer in attentions.items()
        if type(layer) is nn.MultiheadAttention
        and layer._qkv_same_embed_dim
        and not f"{name}.".startswith(tuple(f"{name}." for name in whole))
    ]
    if not attention and not names:
        raise ArgumentError(
            f"LoRA needs a module that contains linear layers; {type(tower).__name__} contains "
            "none that LoRA can change (put a single layer into nn.Sequential)"
        )
    return attention or names
