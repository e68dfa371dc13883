"""ETRIS: its counts, its options, what learns, and what a checkpoint holds."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from official_etris import small_etris, small_towers
from safetensors.torch import load_file
from torch import Tensor

from risbook.adapters.bridger import Bridgers
from risbook.errors import DataError, RisbookError
from risbook.systems import build_system, load_system, save_system
from risbook.systems.etris import CONFIGS, ETRIS
from risbook.systems.parameters import count_parameters, outline
from risbook.systems.system import System
from risbook.towers.word_tokenizer import WordTokenizer

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
    report = count_parameters(outline(name))
    total, tuned, *parts = COUNTS[name]
    groups = {group.name: group for group in report.groups}
    assert (report.total, report.tuned) == (total, tuned)
    assert [groups[n].tuned for n in ("bridgers", "neck", "decoder", "projector")] == parts
    assert report.adapters == parts[0]
    assert all(parameter.is_meta for parameter in outline(name).parameters())


@pytest.mark.parametrize(
    ("name", "of_image", "of_both"),
    [("etris-rn50", 4.81, 1.87), ("etris-rn101", 3.39, 1.61), ("etris-vitb16", 0.69, 0.40)],
)
def test_shares_under_both_conventions(name: str, of_image: float, of_both: float) -> None:
    report = count_parameters(outline(name))
    assert report.share_of_image_tower is not None and report.share_of_towers is not None
    assert round(100 * report.share_of_image_tower, 2) == of_image
    assert round(100 * report.share_of_towers, 2) == of_both


@pytest.mark.parametrize(
    ("width", "count"),
    [(8, 223_272), (16, 450_384), (32, 923_040), (64, 1_942_080), (128, 4_275_072)],
)
def test_bridgers_of_other_widths(width: int, count: int) -> None:
    assert bridger_count(bridger_width=width) == count


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
    assert bridger_count(stages=stages) == count


@pytest.mark.parametrize(
    ("kind", "millions"), [("interpolate", 1.45), ("linear", 5.77), ("mlp", 1.68), ("deconv", 1.94)]
)
def test_zooms_have_the_counts_of_the_papers_table_5(kind: str, millions: float) -> None:
    assert round(bridger_count(zoom=kind) / 1e6, 2) == millions


def test_full_tuning_tunes_all_of_both_towers() -> None:
    changes = {"stages": (), "image_tuning": "full", "text_tuning": "full"}
    report = count_parameters(outline("etris-rn101", changes))
    # all but CLIP's temperature; the paper's Table 2 has 120.74 M
    assert report.adapters == 120_737_633 - 1
    assert report.share_of_towers == report.adapters / 120_737_633


def bridger_count(**changes: Any) -> int:
    return count_parameters(outline("etris-rn101", changes)).adapters


@pytest.mark.parametrize("resnet", [True, False])
@pytest.mark.parametrize(
    "changes",
    [{}, {"decoder_reads": "sentence"}, {"neck": "last"}, {"stages": ()}, {"decoder_layers": 0}],
)
def test_dead_parameters_are_those_without_gradient(resnet: bool, changes: dict[str, Any]) -> None:
    # In double precision, dead gradients are rounding below 1e-15 of the largest gradient, and
    # the smallest of the others are 1e-10 of it. Which of the dead are exactly zero depends on
    # the processor and on the number of threads.
    system = small_etris(resnet=resnet, **changes).train().double()
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
        elif "norm2" in name and "decoder" in name:
            dead += int((value.grad.abs() <= rounding).sum())
    assert count_parameters(system).dead == system.dead_parameters() == dead


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize("resnet", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"stages": (1,)},
        {"stages": (1, 3)},
        {"stages": ()},
        {"link": "outputs"},
        {"link": "none"},
        {"mask_padding": True},
        {"stage_ends": (6, 9, 12)},
        {"zoom": "interpolate"},
        {"zoom": "linear"},
        {"zoom": "mlp"},
        {"interactor": "full"},
        {"interactor": "product"},
        {"decoder_reads": "sentence"},
        {"neck": "last"},
        {"decoder_layers": 0},
        {"position_tables": False},
        {"text_tuning": "houlsby", "tuning_options": {"hidden": 4}},
        {"image_tuning": "bitfit", "text_tuning": "bitfit"},
        {"image_tuning": "full", "text_tuning": "full"},
        {"text_tuning": "prompts"},
        {"text_tuning": "lora", "tuning_options": {"rank": 2}},
    ],
    ids=str,
)
def test_every_choice_runs_and_learns(resnet: bool, changes: dict[str, Any]) -> None:
    torch.manual_seed(0)
    system = small_etris(resnet=resnet, **changes).train()
    image, tokens = inputs(system)
    logits = system(image, tokens)
    side = 16
    assert logits.shape == (2, 1, side, side)
    system.loss(logits, torch.rand(2, 1, *image.shape[-2:])).backward()
    for name, value in system.named_parameters():
        assert (value.grad is not None) == value.requires_grad, name


def test_masked_padding_makes_no_difference() -> None:
    torch.manual_seed(0)
    for resnet in (True, False):
        system = small_etris(resnet=resnet, mask_padding=True).eval()
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
        system = small_etris(resnet=True, link=link).eval()
        image, tokens = inputs(system)
        with torch.no_grad():
            answers.append(system(image, tokens))
    assert not torch.allclose(answers[0], answers[1])
    assert not torch.allclose(answers[0], answers[2])


@pytest.mark.parametrize("resnet", [True, False])
def test_stages_end_where_they_are_told_to(resnet: bool) -> None:
    answers = {}
    for ends in ((), (4, 8, 12), (6, 9, 12)):
        torch.manual_seed(0)
        system = small_etris(resnet=resnet, stage_ends=ends).eval()
        with torch.no_grad():
            answers[ends] = system(*inputs(system))
    assert torch.equal(answers[()], answers[(4, 8, 12)])
    assert not torch.allclose(answers[()], answers[(6, 9, 12)])


def test_nothing_below_the_first_bridger_builds_a_graph() -> None:
    for resnet in (True, False):
        system = small_etris(resnet=resnet, position_tables=False, stages=(3,)).train()
        image, tokens = inputs(system)
        seen: dict[str, bool] = {}
        bridger = system.bridgers.stages["3"]

        def look(module: object, arguments: tuple[Any, ...], seen: dict[str, bool] = seen) -> None:
            seen["image"], seen["words"] = (one.requires_grad for one in arguments[:2])

        bridger.register_forward_pre_hook(look)
        system(image, tokens)
        assert seen == {"image": False, "words": False}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": (4,)}, "no stage 4"),
        ({"bridger_heads": 3}, "3 heads do not divide"),
        ({"decoder_width": 32}, "it has to be 16"),
        ({"zoom": "spline"}, "there are deconv"),
        ({"link": "both"}, "it is 'inputs'"),
        ({"neck": "giraffe"}, "it is 'hierarchical' or 'last'"),
        ({"image_tuning": "magic"}, "no tuning method"),
        ({"tuning_options": {"rank": 2}}, "neither frozen nor frozen has the option 'rank'"),
        ({"mask_padding": True, "text_tuning": "prompts"}, "leave one of them out"),
        ({"word_length": 0}, "whole number from 1"),
        ({"decoder_heads": 0}, "decoder_heads is 0; it must be a whole number from 1"),
        ({"decoder_heads": 3}, "3, which does not divide decoder_width, 16"),
        ({"decoder_layers": -1}, "decoder_layers is -1; it must be a whole number from 0"),
        ({"decoder_reads": "maps"}, "it is 'words' or 'sentence'"),
        ({"interactor": "half"}, "it is 'auto', 'full' or 'product'"),
        ({"position_tables": "False"}, "position_tables is 'False'; it must be true or false"),
        ({"mask_padding": 1}, "mask_padding is 1; it must be true or false"),
        ({"stages": ""}, r"stages is ''; it must be a list of stages, for instance \[1, 2, 3\]"),
        ({"stages": 1}, "stages is 1; it must be a list"),
        ({"stages": ("1",)}, "it must be a list of stages"),
        ({"stage_ends": 6}, r"stage_ends is 6; it must be a list such as \[6, 9, 12\]"),
        ({"stage_ends": (1, 2, 6)}, "of which the last is the tower's last, 12"),
        ({"stage_ends": (9, 6, 12)}, "it must be 3 rising numbers of blocks"),
        ({"tuning_options": 5}, "tuning_options is 5; it must be options by name"),
        ({"dropout": 1.0}, "dropout is 1.0; it must be from 0 to below 1"),
        ({"dropout": "some"}, "dropout is 'some'; it must be a number"),
    ],
)
def test_mistakes_are_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RisbookError, match=message):
        small_etris(resnet=True, **changes)


def test_bridgers_on_different_grids_are_told() -> None:
    bridgers = Bridgers(channels=(4, 4), factors=(1.0, 1.0), text_width=4, stages=(1, 2), width=4)
    words = torch.zeros(1, 3, 4)
    _, words, pair = bridgers(1, torch.zeros(1, 4, 4, 4), words)
    with pytest.raises(RisbookError, match="meet on 4 and on 16 positions"):
        bridgers(2, torch.zeros(1, 4, 2, 2), words, pair)


# --- checkpoints ---------------------------------------------------------------------------------


def mini(name: str, towers: Path) -> System:
    torch.manual_seed(1)
    return build_system(name, sentences=[], changes={"weights": str(towers), "dropout": 0.0})


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
        assert all("running_" in n or "connect" in n for n in frozen)
        assert any("connect" in n for n in frozen)
    again = load_system(tmp_path / "run")
    with torch.no_grad():
        assert torch.equal(again(image, tokens), system(image, tokens))


def test_a_checkpoint_knows_its_towers(mini_towers: Path, tmp_path: Path) -> None:
    system = mini("etris-mini", mini_towers)
    save_system(system, tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    about = json.loads(path.read_text())
    assert about["towers"]["image_tower"]["kind"] == "small"
    about["towers"]["image_tower"]["sha256"] = "f" * 64
    path.write_text(json.dumps(about))
    with pytest.raises(DataError, match="was learned on an image_tower with sha256 ffffffff"):
        load_system(tmp_path / "run")


@pytest.mark.parametrize("tuning", ["frozen", "houlsby", "lora", "bitfit"])
def test_a_system_that_was_frozen_to_be_looked_at_is_saved_all_the_same(
    mini_towers: Path, tmp_path: Path, tuning: str
) -> None:
    changes = {"weights": str(mini_towers), "image_tuning": tuning, "text_tuning": tuning}
    system = build_system("etris-mini", sentences=[], changes=changes)
    wanted = set(system.saved_state())
    system.requires_grad_(False)
    save_system(system, tmp_path / "run")
    again = load_system(tmp_path / "run")
    assert set(again.saved_state()) == set(system.saved_state()) == wanted
    assert any("_tower." in name for name in wanted)


def test_random_towers_are_saved_whole(tmp_path: Path) -> None:
    towers = small_towers(resnet=False)
    system = ETRIS(
        config=small_etris(resnet=False).config,
        towers=towers,
        tokenizer=WordTokenizer.from_sentences(WORDS, length=7, ends=True),
    )
    assert set(system.saved_state()) == set(system.state_dict())


def test_presets_name_towers_that_there_are() -> None:
    assert set(CONFIGS) == {
        "etris-rn50",
        "etris-rn101",
        "etris-vitb16",
        "etris-mini",
        "etris-mini-rn",
    }
    with pytest.raises(RisbookError, match="has no 'no_such_field' to change; it has image_tower"):
        build_system("etris-mini", sentences=[], changes={"no_such_field": 1})
