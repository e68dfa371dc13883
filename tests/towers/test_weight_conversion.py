"""Published names become ours, all of them, and what no table explains is named."""

from collections.abc import Callable

import pytest
import torch
from parity import Recording, below, read_shapes
from published_names import meta_state, openai_state
from torch import Tensor

from risbook.errors import DataError
from risbook.intermediates import Intermediates
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.presets import TOWERS
from risbook.towers.text_transformer import TextTransformer
from risbook.towers.weights.loading import convert, load_weights

Tower = ImageTransformer | CLIPResNet | TextTransformer
State = dict[str, Tensor]


def small(family: str, *, num_registers: int = 4) -> Tower:
    torch.manual_seed(0)
    sizes = {"embed_dim": 32, "depth": 2, "num_heads": 2}
    if family == "clip-vit":
        return ImageTransformer(
            style="clip", patch_size=8, pos_grid=4, output_dim=16, out_indices=(0, 1), **sizes
        )
    if family == "dinov2":
        return ImageTransformer(
            style="dinov2",
            patch_size=8,
            pos_grid=4,
            num_registers=num_registers,
            out_indices=(0, 1),
            **sizes,
        )
    if family == "clip-text":
        return TextTransformer(vocab_size=50, context_length=12, output_dim=16, **sizes)
    return CLIPResNet(
        layers=(1, 2, 1, 1), width=4, output_dim=16, num_heads=2, pos_grid=3, connect=False
    )


PUBLISHED: list[tuple[str, Callable[[State], State]]] = [
    ("clip-vit", openai_state),
    ("clip-resnet", openai_state),
    ("clip-text", openai_state),
    ("dinov2", meta_state),
]


@pytest.mark.parametrize(("family", "publish"), PUBLISHED)
def test_every_weight_comes_back(family: str, publish: Callable[[State], State]) -> None:
    state = small(family).state_dict()
    extra = {} if family == "dinov2" else {"logit_scale": torch.ones(())}
    converted = convert(publish(state) | extra, family)
    assert converted.keys() == state.keys()
    for name, value in state.items():
        assert torch.equal(converted[name], value), name


def randomise(state: State) -> State:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.rand(value.shape, generator=generator) for name, value in state.items()}


@pytest.mark.parametrize("family", ["clip-vit", "dinov2"])
def test_timm_converts_a_transformer_to_the_same(family: str) -> None:
    from timm.models.vision_transformer import checkpoint_filter_fn

    tower = small(family)
    assert isinstance(tower, ImageTransformer)
    publish = openai_state if family == "clip-vit" else meta_state
    published = randomise(publish(tower.state_dict()))
    ours = convert(published, family)
    theirs = checkpoint_filter_fn(dict(published), tower.vit)
    if family == "clip-vit":
        assert torch.equal(ours.pop("projection").T, theirs.pop("head.weight"))
        del theirs["head.bias"]
    assert {f"vit.{name}" for name in theirs} == ours.keys()
    for name, value in theirs.items():
        assert torch.equal(ours[f"vit.{name}"], value), name


def test_timm_converts_a_resnet_to_the_same() -> None:
    from timm.models.byobnet import checkpoint_filter_fn

    tower = small("clip-resnet")
    assert isinstance(tower, CLIPResNet)
    published = randomise(openai_state(tower.state_dict()))
    ours = convert(published, "clip-resnet")
    theirs = checkpoint_filter_fn(dict(published), tower.body)
    assert len(theirs) > 60
    for name, value in theirs.items():
        assert torch.equal(ours[f"body.{name}"], value), name
    pool = {name for name in ours if name.startswith("attention_pool.")}
    assert ours.keys() - pool == {f"body.{name}" for name in theirs}


def meta(name: str, **changes: int) -> Tower:
    with torch.device("meta"):
        return TOWERS[name].tower_class(**{**TOWERS[name].all_arguments, **changes})


def check_one_to_one(state: dict[str, Tensor], tower: Tower, family: str, prefix: str) -> None:
    ours = convert(below(state, prefix), family)
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
    image = meta(f"clip-{size}-image", **({"pos_grid": 26} if size == "vitb16" else {}))
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
        ours = torch.nn.functional.normalize(text(tokens).sentence_embedding, dim=-1)
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
    images, intermediates = torch.randn(2, 3, 32, 32), Intermediates()
    with torch.no_grad():
        tower(images, intermediates=intermediates)
        theirs = model(pixel_values=images).last_hidden_state
    torch.testing.assert_close(intermediates["final"], theirs, atol=1e-5, rtol=1e-5)


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
    for variant, registers in (("reg4_dinov2", 4), ("dinov2", 0)):
        theirs = timm.create_model(f"vit_base_patch14_{variant}", **sizes).eval()
        dino, intermediates = small("dinov2", num_registers=registers).eval(), Intermediates()
        load_weights(dino, theirs.state_dict(), family="dinov2")
        with torch.no_grad():
            dino(images, intermediates=intermediates)
            expected = theirs.forward_features(images)
        torch.testing.assert_close(intermediates["final"], expected, atol=1e-5, rtol=1e-5)


def test_a_name_too_many_is_named() -> None:
    tower = small("dinov2")
    state = meta_state(tower.state_dict())
    load_weights(tower, state, family="dinov2")  # mask_token, which no tower needs, is left out
    with pytest.raises(
        DataError, match=r"this tower has no weight vit\.blocks\.0\.adapter\.weight"
    ):
        load_weights(tower, state | {"blocks.0.adapter.weight": torch.zeros(1)}, family="dinov2")


def test_two_names_of_one_weight_are_told() -> None:
    state = openai_state(small("clip-text").state_dict())
    state["text.final_layer_norm.weight"] = torch.zeros(32)
    with pytest.raises(DataError, match=r"a second weight for text\.final_layer_norm\.weight"):
        convert(state, "clip-text")


def test_half_of_a_pair_is_named() -> None:
    state = meta_state(small("dinov2").state_dict())
    del state["pos_embed"]
    with pytest.raises(DataError, match=r"vit\.pos_embed is missing beside vit\.cls_token"):
        convert(state, "dinov2")


def test_a_missing_key_projection_is_named() -> None:
    state = {"vision_model.embeddings.class_embedding": torch.zeros(4)}
    state["vision_model.encoder.layers.0.self_attn.v_proj.weight"] = torch.zeros(4, 4)
    with pytest.raises(DataError, match=r"blocks\.0\.attn\.q\.weight is missing beside .*\.v\."):
        convert(state, "clip-vit")


@pytest.mark.parametrize("name", ["cls_token", "pos_embed"])
def test_shapes_of_no_tower(name: str) -> None:
    state = meta_state(small("dinov2").state_dict()) | {name: torch.zeros(3)}
    with pytest.raises(DataError):
        load_weights(small("dinov2"), state, family="dinov2")


def test_weights_of_another_tower() -> None:
    with pytest.raises(DataError, match="of a dinov2 tower, not of a clip-vit tower"):
        convert({"register_tokens": torch.zeros(1)}, "clip-vit")
    with pytest.raises(DataError, match=r"as left\.right; a clip-text tower reads names of OpenAI"):
        convert({"left.right": torch.zeros(1)}, "clip-text")


def test_a_bias_that_clip_has_not() -> None:
    vit = small("clip-vit").state_dict()
    state = {name.removeprefix("vit."): value for name, value in vit.items()}
    state["head.weight"] = state.pop("projection").T
    assert convert(state | {"head.bias": torch.zeros(16)}, "clip-vit").keys() == vit.keys()
    with pytest.raises(DataError, match="bias that is not zero"):
        convert(state | {"head.bias": torch.ones(16)}, "clip-vit")
