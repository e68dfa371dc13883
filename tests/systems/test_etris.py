"""ETRIS: its counts, its options, what learns, and what a checkpoint holds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from official_etris import small_etris, small_towers
from safetensors.torch import load_file
from torch import Tensor, nn

from risbook.adapters import PEFTConfig, apply_peft
from risbook.adapters.bridger import Bridger, BridgerConfig, Bridgers
from risbook.decoder.mask_head import NECKS, register_neck
from risbook.errors import ArgumentError, DataError, RisbookError
from risbook.intermediates import Intermediates
from risbook.systems import build_system, load_system, save_system
from risbook.systems.etris import ETRIS, build_etris
from risbook.systems.etris.etris_presets import ETRIS_PRESETS
from risbook.systems.parameters import count_parameters
from risbook.systems.system import System
from risbook.systems.system_preset import BuildInputs
from risbook.systems.system_presets import build_meta_system, get_system_preset, system_config
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers.features import TextFeatures
from risbook.towers.sites import Site
from risbook.towers.stages import StageContext

WORDS = ["left dog", "the red mug on the right", "a man"]


def inputs(system: ETRIS, *, batch: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(batch, 3, system.image_size, system.image_size, generator=generator)
    tokens = torch.tensor([[48, 5, 7, 9, 49, 0, 0], [48, 3, 49, 0, 0, 0, 0]])[:batch]
    return image, tokens


# --- parameters ----------------------------------------------------------------------------------

#: system -> all, tuned, bridgers, neck, decoder, projector (counted on the released code)
COUNTS = {
    "etris-rn50": (132_783_522, 28_819_009, 1_942_080, 12_867_072, 7_899_136, 5_968_897),
    "etris-rn101": (146_923_938, 26_328_129, 1_942_080, 11_556_352, 7_899_136, 4_788_737),
    "etris-vitb16": (173_259_330, 23_829_313, 598_592, 9_983_488, 7_899_136, 4_788_737),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_those_of_the_released_models(name: str) -> None:
    report = count_parameters(build_meta_system(name))
    total, tuned, *parts = COUNTS[name]
    by_name = {part.name: part for part in report.parts}
    assert (report.total, report.tuned) == (total, tuned)
    assert [by_name[n].tuned for n in ("bridgers", "neck", "decoder", "projector")] == parts
    assert report.backbone_tuned == parts[0]
    assert all(parameter.is_meta for parameter in build_meta_system(name).parameters())


@pytest.mark.parametrize(
    ("name", "of_image", "of_both"),
    [("etris-rn50", 4.81, 1.87), ("etris-rn101", 3.39, 1.61), ("etris-vitb16", 0.69, 0.40)],
)
def test_shares_under_both_conventions(name: str, of_image: float, of_both: float) -> None:
    report = count_parameters(build_meta_system(name))
    assert report.share_of_image_tower is not None and report.share_of_towers is not None
    assert round(100 * report.share_of_image_tower, 2) == of_image
    assert round(100 * report.share_of_towers, 2) == of_both


@pytest.mark.parametrize(
    ("width", "count"),
    [(8, 223_272), (16, 450_384), (32, 923_040), (64, 1_942_080), (128, 4_275_072)],
)
def test_bridgers_of_other_widths(width: int, count: int) -> None:
    assert bridger_count({"bridger.dim": width}) == count


@pytest.mark.parametrize(
    ("stages", "count"),
    [
        ((1,), 428_736),
        ((2,), 297_664),
        ((3,), 1_215_168),
        ((1, 2), 726_656),
        ((2, 3), 1_513_088),
        ((1, 2, 3), 1_942_080),
        ((), 0),
    ],
)
def test_bridgers_at_other_stages(stages: tuple[int, ...], count: int) -> None:
    assert bridger_count({"bridger.stages": stages}) == count


@pytest.mark.parametrize(
    ("kind", "millions"), [("interpolate", 1.45), ("linear", 5.77), ("mlp", 1.68), ("deconv", 1.94)]
)
def test_zooms_have_the_counts_of_the_papers_table_5(kind: str, millions: float) -> None:
    assert round(bridger_count({"bridger.zoom": kind}) / 1e6, 2) == millions


def test_full_tuning_tunes_all_of_both_towers() -> None:
    overrides = {"bridger.stages": (), "image_peft.method": "full", "text_peft.method": "full"}
    report = count_parameters(build_meta_system("etris-rn101", overrides))
    # all but CLIP's temperature; the paper's Table 2 has 120.74 M
    assert report.backbone_tuned == 120_737_633 - 1
    assert report.share_of_towers == report.backbone_tuned / 120_737_633


def bridger_count(overrides: dict[str, Any]) -> int:
    return count_parameters(build_meta_system("etris-rn101", overrides)).backbone_tuned


@pytest.mark.parametrize("resnet", [True, False])
@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"head.text_input": "sentence"},
        {"head.neck": "last"},
        {"bridger.stages": ()},
        {"head.num_layers": 0},
    ],
)
def test_dead_parameters_are_those_without_gradient(
    resnet: bool, overrides: dict[str, Any]
) -> None:
    # In double precision, dead gradients are rounding below 1e-15 of the largest gradient, and
    # the smallest of the others are 1e-10 of it. Which of the dead are exactly zero depends on
    # the processor and on the number of threads.
    system = small_etris(overrides, resnet=resnet).train().double()
    image, tokens = inputs(system)
    tokens[0] = torch.tensor([48, 5, 7, 9, 3, 2, 49])  # without padding: every place is used
    target = torch.ones(2, 1, *image.shape[-2:], dtype=torch.float64)
    system.loss(system(image.double(), tokens), target).backward()
    grads = [value.grad for value in system.parameters() if value.grad is not None]
    rounding = 1e-13 * max(float(grad.abs().max()) for grad in grads)
    dead = 0
    for name, value in system.named_parameters():
        if not value.requires_grad:
            continue
        assert value.grad is not None, name
        if value.ndim > 1 and ("in_proj" in name or "pos" in name):
            zero_rows = (value.grad.abs() <= rounding).all(dim=-1)
            dead += int(zero_rows.sum()) * value.shape[-1]
        elif "in_proj_bias" in name:  # of query and key, dead together or not at all
            both = value.grad[: 2 * len(value) // 3]
            dead += both.numel() if float(both.abs().max()) <= rounding else 0
        elif "norm2" in name and "head.decoder" in name:
            dead += int((value.grad.abs() <= rounding).sum())
    assert count_parameters(system).dead == system.dead_parameters() == dead
    for name, value in system.named_parameters():
        value.requires_grad_("bridgers" in name)
    assert system.dead_parameters() == 0  # those of the frozen head are not tuned


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize("resnet", [True, False])
@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"bridger.stages": (1,)},
        {"bridger.stages": (1, 3)},
        {"bridger.stages": ()},
        {"bridger.link": "outputs"},
        {"bridger.link": "none"},
        {"bridger.mask_padding": True},
        {"bridger.mask_padding": True, "text_peft.method": "prompts"},
        {"text_out_indices": (5, 8, 11)},
        {"bridger.zoom": "interpolate"},
        {"bridger.zoom": "linear"},
        {"bridger.zoom": "mlp"},
        {"bridger.interactor": "full"},
        {"bridger.interactor": "product"},
        {"head.text_input": "sentence"},
        {"head.neck": "last"},
        {"head.num_layers": 0},
        {"train_pos_embed": False},
        {"text_peft": {"method": "houlsby", "options": {"bottleneck_dim": 4}}},
        {"image_peft.method": "bitfit", "text_peft.method": "bitfit"},
        {"image_peft.method": "full", "text_peft.method": "full"},
        {"text_peft.method": "prompts"},
        {"image_peft.method": "lora", "text_peft": {"method": "lora", "options": {"r": 2}}},
    ],
    ids=str,
)
def test_every_choice_runs_and_learns(resnet: bool, overrides: dict[str, Any]) -> None:
    torch.manual_seed(0)
    system = small_etris(overrides, resnet=resnet).train()
    image, tokens = inputs(system)
    logits = system(image, tokens)
    side = 16
    assert logits.shape == (2, 1, side, side)
    system.loss(logits, torch.rand(2, 1, *image.shape[-2:])).backward()
    for name, value in system.named_parameters():
        assert (value.grad is not None) == value.requires_grad, name


def test_masked_padding_makes_no_difference() -> None:
    torch.manual_seed(0)
    for resnet, text_method in ((True, "frozen"), (False, "frozen"), (False, "prompts")):
        overrides = {"bridger.mask_padding": True, "text_peft.method": text_method}
        system = small_etris(overrides, resnet=resnet).eval()
        image, tokens = inputs(system)
        with torch.no_grad():
            short = system(image, tokens[:, :5])
            torch.testing.assert_close(system(image, tokens), short, atol=1e-5, rtol=1e-4)


def test_the_link_hands_on_what_it_says() -> None:
    torch.manual_seed(0)
    image, tokens = None, None
    answers = []
    for link in ("inputs", "outputs", "none"):
        torch.manual_seed(0)
        system = small_etris({"bridger.link": link}, resnet=True).eval()
        image, tokens = inputs(system)
        with torch.no_grad():
            answers.append(system(image, tokens))
    assert not torch.allclose(answers[0], answers[1])
    assert not torch.allclose(answers[0], answers[2])


@pytest.mark.parametrize("resnet", [True, False])
def test_stages_end_at_out_indices(resnet: bool) -> None:
    logits = {}
    for out_indices in ((), (3, 7, 11), (5, 8, 11)):
        torch.manual_seed(0)
        overrides = {"text_out_indices": out_indices}
        if not resnet:
            overrides["image_out_indices"] = out_indices
        system = small_etris(overrides, resnet=resnet).eval()
        with torch.no_grad():
            logits[out_indices] = system(*inputs(system))
    assert torch.equal(logits[()], logits[(3, 7, 11)])
    assert not torch.allclose(logits[()], logits[(5, 8, 11)])


def test_a_resnet_has_stages_of_its_own() -> None:
    with pytest.raises(RisbookError, match="the stages of a CLIP ResNet are its layers 2, 3 and 4"):
        small_etris({"image_out_indices": (3, 7, 11)}, resnet=True)


def test_the_old_name_of_mask_padding_is_read() -> None:
    preset = get_system_preset("etris-mini")
    old = {"bridger": {"key_padding_mask": True, "dim": 32}}
    for config in (
        preset.read_config(old),
        preset.change_config(preset.config, old),
        preset.change_config(preset.config, {"bridger.key_padding_mask": True, "bridger.dim": 32}),
    ):
        assert config.bridger.mask_padding and config.bridger.dim == 32


@pytest.mark.parametrize("modality", ["image", "text"])
def test_adapters_of_both_towers_get_tokens_map_and_mask(modality: str) -> None:
    class Gate(nn.Module):
        def forward(self, site: Site) -> Tensor:
            assert site.context is not None
            contexts.append(site.context)
            gate = site.context.text_tokens.mean(dim=(1, 2)).sigmoid()[:, None, None]
            return site.scale(site.out) * gate

    contexts: list[StageContext] = []
    system = small_etris({"text_peft.method": "prompts"}, resnet=False).eval()
    image, tokens = inputs(system)
    before = system(image, tokens)
    tower = system.towers[modality]
    for block in (5, 11):
        tower.add_adapter(block, "mlp", Gate())
    assert not torch.allclose(system(image, tokens), before)
    batch, length = tokens.shape
    prompts = system.text_tower.num_prompts
    for context in contexts:
        assert context.text_tokens.shape == (batch, length + prompts, system.text_tower.embed_dim)
        assert context.key_padding_mask is not None and context.feature_map is not None
        assert context.key_padding_mask.sum() == (tokens == 0).sum()
        assert not context.key_padding_mask[:, : 1 + prompts].any()
        assert context.feature_map.shape[:2] == (batch, system.image_tower.embed_dim)


def test_a_neck_of_ones_own_reads_the_text_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    class WordNeck(nn.Module):
        def __init__(self, *, map_dims: Any, text_dim: int, dim: int, scale: float = 1.0) -> None:
            super().__init__()
            self.scale = scale
            self.linear = nn.Linear(map_dims[1] + text_dim, dim)

        def forward(self, maps: Any, text_features: TextFeatures, *, intermediates: Any) -> Tensor:
            text_tokens = text_features.text_tokens.mean(dim=1)[:, None, None]
            middle = maps[1].permute(0, 2, 3, 1)
            text_map = text_tokens.expand(*middle.shape[:3], -1)
            fused: Tensor = self.linear(torch.cat([middle, text_map], dim=-1))
            return fused.permute(0, 3, 1, 2)

    with pytest.raises(RisbookError, match="no neck is called 'words'; there are: hier"):
        small_etris({"head.neck": "words"}, resnet=False)
    monkeypatch.setitem(NECKS, "words", None)  # so that it is gone after the test
    register_neck("words", WordNeck)
    system = small_etris({"head.neck": "words"}, resnet=False).eval()
    assert system(*inputs(system)).shape[1] == 1
    options = {"head.neck": "words", "head.neck_options": {"scale": 0.5}}
    system = small_etris(options, resnet=False)
    assert system.head.neck.scale == 0.5
    assert system.config_values()["head"]["neck_options"] == {"scale": 0.5}
    with pytest.raises(ArgumentError, match=r"neck 'last': .*'scale'; see head\.neck_options"):
        small_etris({**options, "head.neck": "last"}, resnet=False)
    with pytest.raises(ArgumentError, match=r"head\.neck_options has dim, which the mask head"):
        small_etris({"head.neck_options": {"dim": 64}}, resnet=False)


@pytest.mark.parametrize("resnet", [True, False])
def test_nothing_below_the_first_bridger_builds_a_graph(resnet: bool) -> None:
    overrides = {"train_pos_embed": False, "bridger.stages": (3,)}
    system = small_etris(overrides, resnet=resnet).train()
    requires_grad: list[bool] = []
    bridger: Any = system.bridgers.stages["3"]

    def spy(module: nn.Module, arguments: tuple[Tensor, Tensor, Any]) -> None:
        requires_grad.extend(tensor.requires_grad for tensor in arguments[:2])

    bridger.register_forward_pre_hook(spy)
    system(*inputs(system))
    assert requires_grad == [False, False]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"bridger.stages": (4,)}, "no stage 4"),
        ({"bridger.num_heads": 3}, "num_heads is 3; it must divide dim, 8"),
        ({"head.dim": 32}, "head.dim is 32; .* it must be 16"),
        ({"bridger.zoom": "spline"}, "bridger.zoom is 'spline'; it must be 'deconv'"),
        ({"bridger.link": "both"}, "bridger.link is 'both'; it must be 'inputs'"),
        ({"head.neck": "giraffe"}, "no neck is called 'giraffe'; there are: hier"),
        ({"image_peft.method": "magic"}, "image_peft: no method is called 'magic'"),
        ({"text_peft.options.r": 2}, "text_peft: method 'frozen' has no option 'r': it has none"),
        ({"max_tokens": 0}, "max_tokens is 0; it must be a whole number from 1"),
        ({"head.num_heads": 0}, "head.num_heads is 0; it must be a whole number from 1"),
        ({"head.num_heads": 3}, "num_heads is 3; it must divide dim, 16"),
        ({"head.num_layers": -1}, "head.num_layers is -1; it must be a whole number from 0"),
        ({"head.num_layers": 99999999999}, "head.num_layers is 99999999999; it must be"),
        ({"head.dim": 10**9}, "head.dim is 1000000000; it must be a whole number from 1 to 65536"),
        ({"head.text_input": "maps"}, "it must be 'tokens' or 'sentence'"),
        ({"bridger.interactor": "half"}, "it must be 'auto' or 'full' or 'product'"),
        ({"train_pos_embed": "False"}, "train_pos_embed is 'False'; it must be true or false"),
        ({"bridger.mask_padding": 1}, "bridger.mask_padding is 1; it must be true or"),
        ({"bridger.stages": ""}, r"bridger.stages is ''; it must be a list.*\[1, 2, 3\]"),
        ({"bridger.stages": 1}, "bridger.stages is 1; it must be a list"),
        ({"bridger.stages": ("1",)}, r"bridger.stages is \('1',\); it must be a list of whole"),
        ({"text_out_indices": 5}, r"text_out_indices is 5; it must be a list.*\[3, 7, 11\]"),
        ({"text_out_indices": (0, 1, 5)}, "of which the last is the tower's last, 11"),
        ({"text_out_indices": (8, 5, 11)}, "it must be rising numbers of blocks"),
        ({"image_peft.options": 5}, "image_peft.options is 5; it must be"),
        ({"image_peft": "lora"}, "image_peft is 'lora'; it must be"),
        ({"head.dropout": 1.0}, "head.dropout is 1.0; it must be a number from 0 to below 1"),
        ({"head.dropout": "some"}, "head.dropout is 'some'; it must be a number"),
        ({"no_such_field": 1}, "no_such_field"),
    ],
)
def test_mistakes_end_in_one_line(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(RisbookError, match=message):
        small_etris(overrides, resnet=True)


def test_bridgers_on_different_grids_are_told() -> None:
    bridgers = Bridgers(
        BridgerConfig(stages=(1, 2), dim=4, num_heads=2),
        stage_dims=(4, 4),
        factors=(1.0, 1.0),
        text_dim=4,
        architecture="resnet",
    )
    text = torch.zeros(1, 3, 4)
    _, text, previous = bridgers(1, torch.zeros(1, 4, 4, 4), text)
    with pytest.raises(RisbookError, match="interact at 4 and at 16 positions"):
        bridgers(2, torch.zeros(1, 4, 2, 2), text, previous)


def test_configurations_with_common_options_are_read() -> None:
    """Earlier versions had one set of options for both towers; each method took what it has."""
    old = {
        "image_tuning": "houlsby",
        "text_tuning": "lora",
        "tuning_options": {"hidden": 8, "rank": 2},
    }
    config = system_config("etris-mini", old)
    assert config.image_peft == PEFTConfig(method="houlsby", options={"bottleneck_dim": 8})
    assert config.text_peft == PEFTConfig(method="lora", options={"r": 2})
    newer = {
        "image_adapter": "houlsby",
        "text_adapter": "lora",
        "adapter_options": {"bottleneck_dim": 8, "rank": 2},
    }
    assert system_config("etris-mini", newer) == config
    assert get_system_preset("etris-mini").read_config({**old, "image_size": 64}).image_peft == (
        config.image_peft
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"image_adapter": "magic"}, "^image_peft: no method is called 'magic'"),
        ({"image_adapter": "magic", "adapter_options": {"rank": 2}}, "^no method is called"),
        ({"adapter_options": {"rank": 2}}, "neither frozen nor frozen has the option 'rank'"),
        ({"adapter_options": 5}, "^adapter_options is 5, which it cannot be"),
        ({"image_adapter": "lora", "image_tuning": "lora"}, "other name of image_peft.method"),
        (
            {"image_adapter": "lora", "image_peft.method": "lora"},
            "other name of image_peft.method",
        ),
    ],
)
def test_mistakes_under_earlier_names_end_in_one_line(
    overrides: dict[str, Any], message: str
) -> None:
    with pytest.raises(RisbookError, match=message):
        system_config("etris-mini", overrides)


# --- checkpoints ---------------------------------------------------------------------------------


def mini(name: str, towers: Path) -> System:
    torch.manual_seed(1)
    return build_system(name, sentences=[], overrides={"weights": str(towers), "head.dropout": 0.0})


@pytest.mark.parametrize("name", ["etris-mini", "etris-mini-rn"])
def test_a_checkpoint_holds_what_learned_and_no_more(
    name: str, mini_towers: Path, tmp_path: Path
) -> None:
    system = mini(name, mini_towers).train()
    image = torch.randn(2, 3, system.image_size, system.image_size)
    tokens = system.tokenizer(WORDS[:2])
    for parameter in system.parameters():
        if parameter.requires_grad:
            parameter.data.add_(0.01)
    system(image, tokens)  # moves a ResNet's statistics
    save_system(system.eval(), tmp_path / "run")
    saved = load_file(tmp_path / "run" / "model.safetensors")
    tuned = {n for n, value in system.named_parameters() if value.requires_grad}
    assert tuned <= set(saved)
    frozen = {n for n in saved if n.startswith(("image_tower", "text_tower"))} - tuned
    if name == "etris-mini":
        assert not frozen
    else:
        assert all("running_" in n or "num_batches" in n or "connect" in n for n in frozen)
        assert any("connect" in n for n in frozen)
    again = load_system(tmp_path / "run")
    with torch.no_grad():
        assert torch.equal(again(image, tokens), system(image, tokens))


def test_a_checkpoint_knows_its_towers(mini_towers: Path, tmp_path: Path) -> None:
    system = mini("etris-mini", mini_towers)
    save_system(system, tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    about = json.loads(path.read_text())
    assert about["towers"]["image_tower"]["kind"] == "risbook"
    about["towers"]["image_tower"]["sha256"] = "f" * 64
    path.write_text(json.dumps(about))
    with pytest.raises(DataError, match="was trained with another image_tower: sha256 ffffffff"):
        load_system(tmp_path / "run")


@pytest.mark.parametrize("tuning", ["frozen", "houlsby", "lora", "bitfit"])
def test_a_system_that_was_frozen_to_be_looked_at_is_saved_all_the_same(
    mini_towers: Path, tmp_path: Path, tuning: str
) -> None:
    overrides = {
        "weights": str(mini_towers),
        "image_peft.method": tuning,
        "text_peft.method": tuning,
    }
    system = build_system("etris-mini", sentences=[], overrides=overrides)
    for parameter in system.parameters():
        if parameter.requires_grad:
            parameter.data.add_(0.01)
    wanted = set(system.saved_state())
    system.requires_grad_(False)
    save_system(system, tmp_path / "run")
    again = load_system(tmp_path / "run")
    assert set(again.saved_state()) == set(system.saved_state()) == wanted
    assert all(value.equal(again.state_dict()[name]) for name, value in system.state_dict().items())
    assert any("_tower." in name for name in wanted)


def test_a_tuned_weight_that_did_not_change_need_not_be_saved(
    mini_towers: Path, tmp_path: Path
) -> None:
    overrides = {"weights": str(mini_towers), "image_peft.method": "bitfit"}
    system = build_system("etris-mini", overrides=overrides)
    bias = "image_tower.vit.blocks.0.attn.qkv.bias"
    assert bias in system.saved_state()  # while it is tuned, it is saved whatever its value is
    system.requires_grad_(False)
    assert bias not in system.saved_state()
    save_system(system, tmp_path / "run")
    assert load_system(tmp_path / "run").state_dict()[bias].equal(system.state_dict()[bias])


@pytest.mark.parametrize("train_pos_embed", [True, False])
def test_a_method_on_a_tower_alone_is_that_of_the_configuration(
    train_pos_embed: bool, tmp_path: Path
) -> None:
    system: Any = build_system("etris-mini", train_pos_embed=train_pos_embed)
    apply_peft(system.image_tower, "bitfit")
    assert system.image_tower.pos_embed.requires_grad is train_pos_embed
    save_system(system, tmp_path)
    tuned = {name for name, value in system.named_parameters() if value.requires_grad}
    again = load_system(tmp_path)
    assert tuned == {name for name, value in again.named_parameters() if value.requires_grad}


def test_more_tokens_than_the_text_tower_reads() -> None:
    for build in (build_system, build_meta_system):
        with pytest.raises(
            ArgumentError, match=r"sentences have 78 tokens \(max_tokens.*reads at most 77$"
        ):
            build("etris-mini", overrides={"max_tokens": 78})


def test_random_towers_are_saved_whole(tmp_path: Path) -> None:
    image_tower, text_tower = small_towers(resnet=False)
    tokenizer = WordTokenizer.from_sentences(WORDS, length=7, ends=True)
    system = build_etris(
        small_etris(resnet=False).config,
        BuildInputs(image_tower=image_tower, text_tower=text_tower, tokenizer=tokenizer),
    )
    assert set(system.saved_state()) == set(system.state_dict())


def test_parts_that_no_preset_builds_need_a_name_of_their_own(tmp_path: Path) -> None:
    tokenizer = WordTokenizer.from_sentences(WORDS, length=7, ends=True)
    image_tower, text_tower = small_towers(resnet=False)
    config = small_etris(resnet=False).config
    system = build_etris(
        config,
        BuildInputs(image_tower=image_tower, text_tower=text_tower, tokenizer=tokenizer),
    )
    system.name = "etris-mini"
    with pytest.raises(RisbookError, match="etris-mini has parts that its configuration does not"):
        save_system(system, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    system.name = "mine"
    with pytest.warns(UserWarning, match="register_system"):
        save_system(system, tmp_path / "run")


def test_presets_name_towers_that_there_are() -> None:
    assert set(ETRIS_PRESETS) == {
        "etris-rn50",
        "etris-rn101",
        "etris-vitb16",
        "etris-mini",
        "etris-mini-rn",
    }
    with pytest.raises(RisbookError, match="no_such_field"):
        build_system("etris-mini", sentences=[], overrides={"no_such_field": 1})


def test_a_bridger_of_another_factor_needs_a_map() -> None:
    bridger = Bridger(image_dim=8, text_dim=8, factor=1 / 2)
    with pytest.raises(ArgumentError, match="a Bridger of factor"):
        bridger(torch.zeros(1, 4, 8), torch.zeros(1, 3, 8))


@pytest.mark.parametrize("resnet", [True, False])
def test_towers_and_bridgers_record_their_stages(resnet: bool) -> None:
    system = small_etris({}, resnet=resnet).eval()
    intermediates = Intermediates()
    system(*inputs(system), intermediates=intermediates)
    for stage in "123":
        assert f"image_tower.stages.{stage}" in intermediates
        assert f"text_tower.stages.{stage}" in intermediates
        assert f"bridgers.{stage}.fused" in intermediates
    alone = Intermediates()
    system.text_tower(inputs(system)[1], intermediates=alone)
    theirs = {name for name in intermediates if name.startswith("text_tower.")}
    assert {f"text_tower.{name}" for name in alone} == theirs
    assert {"image_tower.final", "text_tower.final"} <= set(intermediates)


def test_only_a_linked_bridger_takes_the_tokens_of_a_previous_one() -> None:
    feature_map, text_tokens = torch.zeros(1, 8, 2, 2), torch.zeros(1, 3, 8)
    config = BridgerConfig(dim=4)
    first = Bridger(image_dim=8, text_dim=8, config=config)
    linked = Bridger(image_dim=8, text_dim=8, config=config, linked=True)
    previous = first(feature_map, text_tokens).inputs
    linked(feature_map, text_tokens, previous)
    linked(feature_map, text_tokens)  # the previous one may be disabled
    with pytest.raises(ArgumentError, match="build it with linked=True"):
        first(feature_map, text_tokens, previous)


def test_a_map_that_the_zoom_layers_cannot_restore_is_refused_in_one_line() -> None:
    bridger = Bridger(image_dim=8, text_dim=8, config=BridgerConfig(dim=4), factor=1 / 2)
    with pytest.raises(ArgumentError, match=r"7 x 7 positions comes back .* as 6 x 6.* by 2"):
        bridger(torch.zeros(1, 8, 7, 7), torch.zeros(1, 3, 8))


def test_many_sentences_about_a_picture_are_several_forward_passes() -> None:
    system: Any = load_system("etris-mini")
    sizes: list[int] = []
    system.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    image = np.zeros((40, 60, 3), np.uint8)
    sentences = [f"the {word} dog" for word in ("left", "right", "red")] * 12
    masks = system.predict(image, sentences, return_probability=True)
    assert sizes == [32, 4] and len(masks) == 36
    np.testing.assert_allclose(
        masks[35], system.predict([image], sentences[2:3], return_probability=True)[0], atol=1e-5
    )
    assert system.predict(image, []) == []


def test_lora_in_a_mask_head() -> None:
    system: Any = load_system("etris-mini")
    image = np.full((40, 60, 3), 99, np.uint8)
    before = system.predict(image, "left dog", return_probability=True)
    apply_peft(system.head, "lora", target_modules=["projector.vis.4"])
    np.testing.assert_allclose(
        system.eval().predict(image, "left dog", return_probability=True), before, atol=1e-5
    )
    lora = system.head.projector.vis[4].lora_B["default"]
    nn.init.normal_(lora.weight)
    after = system.predict(image, "left dog", return_probability=True)
    assert np.abs(after - before).max() > 1e-3
    with pytest.raises(
        ArgumentError, match=r"LoRA cannot change neck\.fusion3\.multihead_attn: Sent"
    ):
        apply_peft(load_system("etris-mini").head, "lora", target_modules=["multihead_attn"])
