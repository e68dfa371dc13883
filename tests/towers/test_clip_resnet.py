"""CLIP's ResNet: equal to timm's, equal to ETRIS' recorded arrays, and usable stage by stage."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from parity import TOLERANCE, Recording
from recorded_sizes import resnet_sizes
from torch import Tensor, nn

from risbook.errors import ArgumentError, DataError
from risbook.intermediates import Intermediates
from risbook.towers.attention_pool import AttentionPool
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.published_formats import PUBLISHED_FORMATS

VISUAL = "backbone.visual."
KEY_MAPPINGS = PUBLISHED_FORMATS["clip-resnet"].key_mappings
OPENAI_RESNET = next(mapping for mapping in KEY_MAPPINGS if mapping.owner == "OpenAI")


def tiny(**changes: Any) -> CLIPResNet:
    torch.manual_seed(0)
    settings = {"layers": (1, 2, 1, 1), "width": 8, "output_dim": 24, "num_heads": 4, "pos_grid": 3}
    return CLIPResNet(**{**settings, **changes})


def randomise(module: nn.Module) -> None:
    """Random values everywhere: fresh batch norms would hide what they do."""
    for name, tensor in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("running_var"):
            tensor.uniform_(0.8, 1.2)
        elif tensor.ndim > 1:
            tensor.normal_(std=tensor[0].numel() ** -0.5)
        else:
            tensor.normal_(std=0.1).add_(float(name.endswith("bn.weight")))


def recorded(file: Recording, start: str) -> dict[str, Tensor]:
    """The visual arrays below a prefix, under our names."""
    visual = {k: v for k, v in file.below(start).items() if k.startswith("visual.")}
    return OPENAI_RESNET.convert(visual)


def recorded_tower(file: Recording) -> CLIPResNet:
    tower = CLIPResNet(**resnet_sizes(file.below("w.backbone.visual.")))
    tower.load_state_dict(recorded(file, "w.backbone."), strict=True)
    return tower.eval()


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=TOLERANCE, rtol=TOLERANCE)


# --- timm --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet50_clip", "resnet101_clip"])
def test_equals_timm_on_the_same_weights(name: str) -> None:
    timm = pytest.importorskip("timm")
    output = {"resnet50_clip": 1024, "resnet101_clip": 512}[name]
    layers = {"resnet50_clip": (3, 4, 6, 3), "resnet101_clip": (3, 4, 23, 3)}[name]
    torch.manual_seed(0)
    theirs = timm.create_model(name, pretrained=False, num_classes=output).eval()
    ours = CLIPResNet(layers=layers, output_dim=output, connect=False).eval()
    with torch.no_grad():
        randomise(theirs)
        body = {k: v for k, v in theirs.state_dict().items() if not k.startswith("head.")}
        ours.body.load_state_dict(body, strict=True)
        renames = {"pos_embed": "positional_embedding", "proj.": "c_proj."}
        renames |= {f"{letter}.": f"{letter}_proj." for letter in "qkv"}
        head = {}
        for key, value in theirs.head.state_dict().items():
            start = next(start for start in renames if key.startswith(start))
            head[renames[start] + key.removeprefix(start)] = value
        ours.attention_pool.load_state_dict(head, strict=True)

        images = torch.randn(1, 3, 224, 224)
        intermediates = Intermediates()
        features = ours(images, intermediates=intermediates)
        x = theirs.stem(images)
        assert torch.equal(intermediates["stem"], x)
        for number, stage in enumerate(theirs.stages, start=1):
            x = stage(x)
            name = "layer1" if number == 1 else f"stages.{number - 1}"
            assert torch.equal(intermediates[name], x)
        assert torch.equal(features.maps[1], intermediates["stages.2"])
        wanted = theirs(images)
        assert wanted.std() > 1e-3
        torch.testing.assert_close(ours.pooled(images), wanted, atol=1e-5, rtol=1e-4)


# --- recorded arrays ---------------------------------------------------------------------------


def test_parity_stages_of_a_small_etris() -> None:
    """Each stage and the pool, with the recorded residuals of ETRIS' bridgers in between."""
    file = Recording("etris/full_small_rn.npz")
    tower = recorded_tower(file)
    with torch.no_grad():
        x = tower.forward_layer(tower.stem(file["in.img"]), 1)
        close(x, file[f"mid.{VISUAL}layer1"])
        for stage in (2, 3, 4):
            x = tower.forward_layer(x, stage)
            close(x, file[f"mid.{VISUAL}layer{stage}"])
            x = x + file[f"mid.bridger.zoom_out.{stage - 2}"]
        close(tower.final_map(x), file[f"mid.{VISUAL}attnpool"])
        close(tower.final_map(x), file["mid.bridger.out_vis2"])


def test_parity_plain_tower_feeds_the_recorded_zoom() -> None:
    file = Recording("etris/full_small_rn.npz")
    tower = recorded_tower(file)
    with torch.no_grad():
        layer2 = tower(file["in.img"]).maps[0]
        weight = file["w.bridger.zoom_in.0.weight"]
        close(nn.functional.conv2d(layer2, weight, stride=2), file["mid.bridger.zoom_in.0"])


def test_parity_running_statistics_after_a_training_step() -> None:
    """ETRIS' frozen tower is in training mode: its statistics move, here up to layer2."""
    file = Recording("etris/full_small_rn.npz")
    tower = recorded_tower(file).train()
    with torch.no_grad():
        tower.forward_layer(tower.forward_layer(tower.stem(file["in.img"]), 1), 2)
    state = tower.state_dict()
    later = ("body.stages.2", "body.stages.3", "attention_pool")
    wanted = recorded(file, "train.buf.backbone.")
    reached = [key for key in wanted if not key.startswith(later)]
    assert len(reached) == 3 * (3 + 4 + 4 + 3)
    before = recorded(file, "w.backbone.")
    for key in reached:
        torch.testing.assert_close(state[key], wanted[key], atol=1e-4, rtol=1e-4)
        assert not torch.allclose(wanted[key], before[key])


@pytest.mark.parametrize(
    ("kit", "layers", "output"),
    [
        ("etris/fullsize_rn50.npz", (3, 4, 6, 3), 1024),
        ("etris/fullsize_rn101.npz", (3, 4, 23, 3), 512),
    ],
)
def test_parity_names_and_shapes_at_full_size(
    kit: str, layers: tuple[int, ...], output: int
) -> None:
    """Every tensor of the official tower has its place here, and no other is left over."""
    file = Recording(kit)
    shapes = {
        key.removeprefix("backbone."): torch.empty(shape, device="meta")
        for key, shape in file.shapes().items()
        if key.startswith(VISUAL)
    }
    official = {key: value.shape for key, value in OPENAI_RESNET.convert(shapes).items()}
    with torch.device("meta"):
        tower = CLIPResNet(layers=layers, output_dim=output)
    assert {key: value.shape for key, value in tower.state_dict().items()} == official
    trainable = {key for key, _ in tower.named_parameters()}
    count = sum(shape.numel() for key, shape in official.items() if key in trainable)
    assert sum(parameter.numel() for parameter in tower.parameters()) == count


# --- use ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(64, 64), (32, 96), (128, 64)])
def test_shapes_and_intermediates(size: tuple[int, int]) -> None:
    tower, (height, width) = tiny().eval(), size
    intermediates = Intermediates()
    features = tower(torch.randn(2, 3, height, width), intermediates=intermediates)
    assert features.strides == (8, 16, 32)
    assert tower.map_dims == (64, 128, 24)
    for grid, stride, channels in zip(features.maps, features.strides, (64, 128, 24), strict=True):
        assert grid.shape == (2, channels, height // stride, width // stride)
    assert list(intermediates) == ["stem", "layer1", "stages.1", "stages.2", "stages.3", "final"]
    assert intermediates["stem"].shape == (2, 8, height // 4, width // 4)
    assert intermediates["stages.3"].shape == (2, tower.stage_dims[2], height // 32, width // 32)
    assert tower.pooled(torch.randn(2, 3, height, width)).shape == (2, 24)


@pytest.mark.parametrize("size", [(64, 65), (48, 64), (0, 32)])
def test_a_size_that_32_does_not_divide_is_named(size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=f"{size[0]} x {size[1]}"):
        tiny()(torch.zeros(1, 3, *size))


def test_impossible_settings_are_named() -> None:
    with pytest.raises(ArgumentError, match="num_heads is 5; it must divide embed_dim, 256"):
        tiny(num_heads=5)
    with pytest.raises(ArgumentError, match="width 7"):
        tiny(width=7)
    with pytest.raises(ArgumentError, match="layer 0"):
        tiny().forward_layer(torch.zeros(1, 8, 8, 8), 0)


def test_a_change_between_stages_changes_what_follows() -> None:
    tower = tiny().eval()
    x = tower.forward_layer(tower.forward_layer(tower.stem(torch.randn(1, 3, 64, 64)), 1), 2)
    plain, changed = tower.forward_layer(x, 3), tower.forward_layer(x + 0.5, 3)
    assert not torch.allclose(plain, changed)


def test_norm_eval_holds_the_body_only() -> None:
    images = torch.randn(4, 3, 64, 64)
    for fixed in (False, True):
        tower = tiny(norm_eval=fixed).train()
        before = {key: value.clone() for key, value in tower.named_buffers()}
        tower(images)
        moved = {
            key
            for key, value in tower.named_buffers()
            if "running" in key and not torch.equal(value, before[key])
        }
        assert {key for key in moved if key.startswith("attention_pool")}
        assert bool({key for key in moved if key.startswith("body")}) is not fixed


def test_a_narrow_tower_has_clips_widths_and_batch_norms() -> None:
    narrow, wide = tiny(width=4, num_heads=2), tiny(width=8, num_heads=2)
    shapes = {key: tuple(value.shape) for key, value in narrow.state_dict().items()}
    assert shapes["body.stages.0.0.conv2_kxk.conv.weight"] == (4, 4, 3, 3)
    assert shapes.keys() == wide.state_dict().keys()
    for (_, first), (_, second) in zip(
        narrow.body.named_modules(), wide.body.named_modules(), strict=True
    ):
        assert type(first) is type(second)
        if isinstance(first, nn.BatchNorm2d) and isinstance(second, nn.BatchNorm2d):
            assert (first.eps, first.momentum) == (second.eps, second.momentum)
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.Conv2d):
            assert (first.stride, first.padding) == (second.stride, second.padding)


def test_gradients_reach_every_parameter_of_the_way_taken() -> None:
    tower = tiny().train()
    images = torch.randn(2, 3, 64, 64)
    torch.stack([grid.square().mean() for grid in tower(images).maps]).sum().backward()
    without = {key for key, value in tower.named_parameters() if value.grad is None}
    assert not without
    tower.zero_grad(set_to_none=True)
    tower.pooled(images).square().mean().backward()
    without = {key for key, value in tower.named_parameters() if value.grad is None}
    assert without == {key for key, _ in tower.named_parameters() if ".connect." in key}


def test_readings_of_the_attention_pool() -> None:
    torch.manual_seed(0)
    pool = AttentionPool(embed_dim=16, output_dim=6, num_heads=2, pos_grid=3, connect=False)
    features = torch.randn(2, 16, 2, 3)
    assert pool(features).shape == pool.projected(features).shape == (2, 6, 2, 3)
    assert pool.pooled(features).shape == (2, 6)
    # one position attends to itself alone: then attention is the projection of its value
    position = torch.randn(2, 16, 1, 1)
    with torch.no_grad():
        pool.positional_embedding.zero_()
    assert torch.allclose(pool(position), pool.projected(position), atol=1e-6)
    assert torch.allclose(pool.pooled(position), pool.projected(position)[..., 0, 0], atol=1e-6)


def test_importing_the_room_leaves_timm_alone() -> None:
    code = "import sys, risbook.towers.clip_resnet; print('timm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
