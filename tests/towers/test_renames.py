"""Published names become ours, all of them, and what no table explains is named."""

import pytest
import torch
from parity import Recording, read_shapes
from torch import Tensor

from risbook.errors import DataError
from risbook.towers.build import CLASSES
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.rename_forms import Family, Form
from risbook.towers.renames import FORMS, recognise, rename
from risbook.towers.text_transformer import TextTransformer
from risbook.towers.tower_presets import TOWERS
from risbook.towers.weights import load_weights

Tower = ImageTransformer | CLIPResNet | TextTransformer


def small(family: Family) -> Tower:
    torch.manual_seed(0)
    sizes = {"width": 32, "depth": 2, "heads": 2}
    if family == "clip-vit":
        return ImageTransformer(kind="clip", patch=8, table=4, projection=16, taps=(1, 2), **sizes)
    if family == "dinov2":
        return ImageTransformer(kind="dinov2", patch=8, table=4, registers=4, taps=(1, 2), **sizes)
    if family == "clip-text":
        return TextTransformer(vocabulary=50, context=12, projection=16, **sizes)
    return CLIPResNet(layers=(1, 2, 1, 1), width=4, output=16, heads=2, table=3, connect=False)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.family}-{form.name}")
def test_there_and_back(form: Form) -> None:
    state = small(form.family).state_dict()
    theirs = form.to_theirs(state)
    assert recognise(theirs, form.family) is form
    again = rename({f"module.{name}": value for name, value in theirs.items()} | {"x": state[
        next(iter(state))]}, family=form.family, prefix="module.")  # fmt: skip
    assert again.keys() == state.keys()
    for name, value in state.items():
        assert torch.equal(again[name], value), name


def meta(name: str, **changes: int) -> Tower:
    with torch.device("meta"):
        return CLASSES[TOWERS[name].family](**{**TOWERS[name].geometry, **changes})


def check_one_to_one(state: dict[str, Tensor], tower: Tower, family: Family, prefix: str) -> None:
    ours = rename(state, family=family, prefix=prefix)
    wanted = tower.state_dict()
    assert ours.keys() == wanted.keys()
    assert {n: v.shape for n, v in ours.items()} == {n: v.shape for n, v in wanted.items()}


def on_meta(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


@pytest.mark.parametrize(
    "kit", ["etris/fullsize_rn50.npz", "etris/fullsize_rn101.npz", "etris/fullsize_vitb16.npz"]
)
def test_parity_names_of_etris(kit: str) -> None:
    size = kit.removeprefix("etris/fullsize_").removesuffix(".npz")
    state = on_meta(Recording(kit).shapes())
    image = meta(f"clip-{size}-image", **({"table": 26} if size == "vitb16" else {}))
    check_one_to_one(state, image, TOWERS[f"clip-{size}-image"].family, "backbone.")
    check_one_to_one(state, meta(f"clip-{size}-text"), "clip-text", "backbone.")


@pytest.mark.parametrize(
    ("kit", "name"),
    [
        ("detris/state_dict_keys_B.tsv", "dinov2-vitb14"),
        ("detris/state_dict_keys_L.tsv", "dinov2-vitl14"),
    ],
)
def test_parity_names_of_detris(kit: str, name: str) -> None:
    shapes = {key: shape for key, shape in read_shapes(kit).items() if "adapter" not in key}
    state = on_meta(shapes)
    check_one_to_one(state, meta(name), "dinov2", "dinov2.")
    check_one_to_one(state, meta("clip-vitb16-text"), "clip-text", "txt_backbone.")


def test_transformers_clip_computes_the_same() -> None:
    from transformers import CLIPConfig, CLIPModel

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 128, "projection_dim": 16}
    words = {"vocab_size": 50, "max_position_embeddings": 12, "eos_token_id": 49, "pad_token_id": 0}
    torch.manual_seed(1)
    model = CLIPModel(
        CLIPConfig(
            text_config=sizes | words | {"bos_token_id": 48},
            vision_config=sizes | {"image_size": 32, "patch_size": 8},
            projection_dim=16,
        )
    ).eval()
    image, text = small("clip-vit").eval(), small("clip-text").eval()
    assert isinstance(image, ImageTransformer) and isinstance(text, TextTransformer)
    load_weights(image, model.state_dict(), family="clip-vit")
    load_weights(text, model.state_dict(), family="clip-text")
    images = torch.randn(2, 3, 32, 32)
    tokens = torch.tensor([[48, 5, 6, 49, 0], [48, 7, 49, 0, 0]])
    with torch.no_grad():
        theirs = model(pixel_values=images, input_ids=tokens)
        ours = torch.nn.functional.normalize(image.pooled(images), dim=-1)
        torch.testing.assert_close(ours, theirs.image_embeds, atol=1e-5, rtol=1e-5)
        ours = torch.nn.functional.normalize(text(tokens).sentence, dim=-1)
        torch.testing.assert_close(ours, theirs.text_embeds, atol=1e-5, rtol=1e-5)


def test_transformers_dinov2_computes_the_same() -> None:
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    torch.manual_seed(2)
    model = Dinov2WithRegistersModel(
        Dinov2WithRegistersConfig(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=32,
            patch_size=8,
            num_register_tokens=4,
        )
    ).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    tower = small("dinov2").eval()
    assert isinstance(tower, ImageTransformer)
    load_weights(tower, model.state_dict(), family="dinov2")
    images, record = torch.randn(2, 3, 32, 32), {}
    with torch.no_grad():
        tower(images, record=record)
        theirs = model(pixel_values=images).last_hidden_state
    torch.testing.assert_close(record["finished"], theirs, atol=1e-5, rtol=1e-5)


def test_timm_computes_the_same() -> None:
    import timm

    sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}
    images = torch.randn(2, 3, 32, 32)
    torch.manual_seed(3)
    theirs = timm.create_model("vit_base_patch16_clip_quickgelu_224", num_classes=16, **sizes)
    clip = small("clip-vit").eval()
    assert isinstance(clip, ImageTransformer)
    load_weights(clip, theirs.state_dict(), family="clip-vit")
    with torch.no_grad():
        torch.testing.assert_close(clip.pooled(images), theirs.eval()(images), atol=1e-5, rtol=1e-5)
    theirs = timm.create_model("vit_base_patch14_reg4_dinov2", **sizes).eval()
    dino, record = small("dinov2").eval(), {}
    load_weights(dino, theirs.state_dict(), family="dinov2")
    with torch.no_grad():
        dino(images, record=record)
        found = theirs.forward_features(images)
    torch.testing.assert_close(record["finished"], found, atol=1e-5, rtol=1e-5)


def test_a_name_too_many_is_named() -> None:
    state = recognise(["register_tokens"], "dinov2").to_theirs(small("dinov2").state_dict())
    assert "mask_token" not in rename(state | {"mask_token": torch.zeros(1)}, family="dinov2")
    with pytest.raises(DataError, match=r"blocks\.0\.adapter\.weight.*Meta's"):
        rename(state | {"blocks.0.adapter.weight": torch.zeros(1)}, family="dinov2")


def test_half_of_a_pair_is_named() -> None:
    state = recognise(["register_tokens"], "dinov2").to_theirs(small("dinov2").state_dict())
    del state["pos_embed"]
    with pytest.raises(DataError, match="pos_embed is missing beside cls_token"):
        rename(state, family="dinov2")


def test_weights_of_another_tower() -> None:
    with pytest.raises(DataError, match="of a dinov2 tower, not of a clip-vit tower"):
        rename({"register_tokens": torch.zeros(1)}, family="clip-vit")
    with pytest.raises(DataError, match=r"as left\.right; a clip-text tower reads: OpenAI's"):
        rename({"left.right": torch.zeros(1)}, family="clip-text")


def test_a_bias_that_clip_has_not() -> None:
    form = recognise(["norm_pre.weight"], "clip-vit")
    state = form.to_theirs(small("clip-vit").state_dict())
    assert "head.bias" not in rename(state | {"head.bias": torch.zeros(16)}, family="clip-vit")
    with pytest.raises(DataError, match="bias that is not zero"):
        rename(state | {"head.bias": torch.ones(16)}, family="clip-vit")
