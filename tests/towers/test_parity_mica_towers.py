"""MiCA's adapters in their places: blocks and towers equal those of the released code."""

import torch
from official_mica import (
    IMAGE_BLOCKS,
    NUM_HEADS,
    TEXT_BLOCKS,
    adapter_overrides,
    mica_overrides,
)
from official_towers import (
    Weights,
    dinov2_block,
    dinov2_tower,
    rename_text_block,
    text_tower,
    without_adapters,
)
from parity import Recording, below
from torch import Tensor

from risbook.config import with_overrides
from risbook.systems.mica import MiCA, MiCAConfig, build_mica
from risbook.systems.mica.rename_mica import split_adapters
from risbook.systems.system_preset import BuildInputs
from risbook.tokenizers.interface import ShapeOnlyTokenizer
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.stages import StageContext
from risbook.towers.text_transformer import TextTransformer
from risbook.towers.transformer_tower import TransformerTower

#: the class token and four registers
EXTRA = 5


def add_adapters(tower: TransformerTower, adapters: Weights, *, text_dim: int = 0) -> None:
    """Put recorded adapters, under our names, into a tower."""
    from risbook.adapters import add_mica_image_adapters, add_mica_text_adapters

    config = with_overrides(MiCAConfig(), adapter_overrides(adapters))
    if isinstance(tower, ImageTransformer):
        add_mica_image_adapters(tower, config.glia, config.caa, text_dim=text_dim)
    else:
        add_mica_text_adapters(tower, config.text_glia, config.text_caa)
    weights = below(adapters, f"{tower.modality}_tower.adapters.")
    tower.adapters.load_state_dict(weights, strict=True)
    tower.eval()


def block_adapters(weights: Weights, blocks: str, *, leave_out: str = "nothing") -> Weights:
    """The adapters of a recorded block under our names, those of one kind left out."""
    names = {f"{blocks}0.{k}": v for k, v in weights.items() if not k.startswith(leave_out)}
    return split_adapters(names)[0]


def image_block(weights: Weights) -> ImageTransformer:
    """A tower whose only block has the recorded weights."""
    tower = ImageTransformer(
        style="dinov2",
        embed_dim=len(weights["norm1.weight"]),
        depth=1,
        num_heads=NUM_HEADS,
        patch_size=14,
        pos_grid=6,
        num_registers=EXTRA - 1,
        out_indices=(0,),
    )
    tower.blocks[0].load_state_dict(dinov2_block(without_adapters(weights), ""), strict=True)
    return tower.eval()


def text_block(weights: Weights, *, length: int) -> TextTransformer:
    """A text tower whose only block has the recorded weights."""
    tower = TextTransformer(
        vocab_size=3,
        embed_dim=len(weights["ln_1.weight"]),
        depth=1,
        num_heads=NUM_HEADS,
        context_length=length,
        output_dim=1,
    )
    tower.blocks[0].load_state_dict(rename_text_block(without_adapters(weights), ""), strict=True)
    return tower.eval()


KINDS = {"": "nothing", "_glia_only": "parallel_v2_adapter", "_caa_only": "serial_adapter"}


def test_parity_image_block() -> None:
    file = Recording("mica/vision_block.npz")
    weights = file.below("sd/")
    context = StageContext(file["in/text"])
    side = round((file["in/x"].shape[1] - EXTRA) ** 0.5)
    file.compare("out/eval_plain", image_block(weights).forward_blocks(file["in/x"]))
    for kind, leave_out in reversed(KINDS.items()):  # the last one has both
        tower = image_block(weights)
        adapters = block_adapters(weights, IMAGE_BLOCKS, leave_out=leave_out)
        add_adapters(tower, adapters, text_dim=context.text_tokens.shape[-1])
        out = tower.forward_blocks(file["in/x"], context=context, grid=(side, side))
        file.compare(f"out/eval{kind}", out)
    x, text = file["in/x"].requires_grad_(), file["in/text"].requires_grad_()
    tower.train()
    output = tower.forward_blocks(x, context=StageContext(text), grid=(side, side))
    file.compare("out/train", output)
    (output * file["in/cotangent"]).sum().backward()
    file.compare("grad_in/x", x.grad)
    file.compare("grad_in/text", text.grad)
    ours = our_names(weights, IMAGE_BLOCKS)
    parameters, state = dict(tower.named_parameters()), tower.state_dict()
    for name in file.below("gradnorm/"):
        parameter = parameters[ours.get(name, f"vit.blocks.0.{name}")]
        assert parameter.grad is not None
        file.compare(f"gradnorm/{name}", parameter.grad.norm())
    for name in file.below("after/"):
        file.compare(f"after/{name}", state[ours[name]])
    file.assert_all_compared()


def our_names(weights: Weights, blocks: str) -> dict[str, str]:
    """From the recorded name of an entry of an adapter to its name in a tower."""
    ours = {id(value): name for name, value in block_adapters(weights, blocks).items()}
    return {
        name: ours[id(value)].partition(".")[2]
        for name, value in weights.items()
        if id(value) in ours
    }


def test_parity_text_block() -> None:
    file = Recording("mica/text_block.npz")
    weights = file.below("sd/")
    x = file["in/x"].transpose(0, 1)  # recorded sequence first
    for kind, leave_out in reversed(KINDS.items()):
        tower = text_block(weights, length=x.shape[1])
        add_adapters(
            tower,
            block_adapters(weights, TEXT_BLOCKS, leave_out=leave_out),
        )
        file.compare(f"out/eval{kind}", tower.forward_blocks(x).transpose(0, 1))
    recorded = file["in/x"].requires_grad_()
    output = tower.train().forward_blocks(recorded.transpose(0, 1)).transpose(0, 1)
    file.compare("out/train", output)
    (output * file["in/cotangent"]).sum().backward()
    file.compare("grad_in/x", recorded.grad)
    ours = our_names(weights, TEXT_BLOCKS)
    parameters = dict(tower.named_parameters())
    for name, value in weights.items():
        if name in ours:
            names = [ours[name]]
        else:
            block = rename_text_block({name: value}, "text.encoder.layers.0.")
            names = list(block)  # query, key and value of attention are three
        gradients = [parameters[ours_].grad for ours_ in names]
        squares = [gradient.square().sum() for gradient in gradients if gradient is not None]
        assert len(squares) == len(names)
        file.compare(f"gradnorm/{name}", torch.stack(squares).sum().sqrt())
    file.assert_all_compared()


def recorded_mica() -> tuple[MiCA, Recording]:
    """The recorded small towers in a system, whose mask head has initial weights."""
    file = Recording("mica/towers_small.npz")
    weights = file.below("sd/")
    adapters, others = split_adapters(weights)
    texts = {k: v for k, v in below(others, "txt_backbone.").items() if k != "logit_scale"}
    config = with_overrides(MiCAConfig(), mica_overrides(file, adapters))
    out_indices = config.image_out_indices
    image = dinov2_tower(below(others, "dinov2."), heads=NUM_HEADS, out_indices=out_indices)
    system = build_mica(
        config,
        BuildInputs(
            image_tower=image,
            text_tower=text_tower(texts, heads=NUM_HEADS),
            tokenizer=ShapeOnlyTokenizer(config.max_tokens),
        ),
    )
    missing, unexpected = system.load_state_dict(adapters, strict=False)
    assert not unexpected and not any(".adapters." in name for name in missing)
    return system.eval(), file


def compare_features(file: Recording, system: MiCA, mode: str) -> None:
    with torch.no_grad():
        images, texts = system.encode(file["in/img"], file["in/word"])
    for number, feature_map in enumerate(images.maps):
        file.compare(f"out/{mode}_vis{number}", feature_map)
    file.compare(f"out/{mode}_txt", texts.text_tokens)
    file.compare(f"out/{mode}_state", texts.sentence_embedding)


def test_parity_towers() -> None:
    system, file = recorded_mica()
    compare_features(file, system, "eval")
    compare_features(file, system.train(), "train")
    state = system.state_dict()
    for name, value in file.below("after/").items():
        (ours,) = split_adapters({name: value})[0]
        file.compare(f"after/{name}", state[ours])
    file.assert_all_compared()


def test_the_towers_read_each_other() -> None:
    """The comparison can fail: other words, and the maps after the first CAA are others."""
    system, file = recorded_mica()
    words: Tensor = file["in/word"].flip(0)
    with torch.no_grad():
        maps = system.encode(file["in/img"], words)[0].maps
    assert maps[0].allclose(file["out/eval_vis0"], atol=1e-4)
    assert not maps[1].allclose(file["out/eval_vis1"], atol=1e-2)
