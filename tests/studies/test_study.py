"""A study runs what is not done yet, under one budget, and says where every number is from."""

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from risbook.cli import main
from risbook.errors import RisbookError
from risbook.evaluation.packed_scores import unpack_image_ids, unpack_scores
from risbook.ledger.measured import read_measured, results_folder
from risbook.studies import STUDIES, Run, Study, run_study
from risbook.studies.few_labels import METHODS, STEPS
from risbook.studies.run_settings import describe_differences, read_settings, run_settings
from risbook.studies.run_study import run_training_config
from risbook.studies.three_systems import SYSTEMS
from risbook.systems.parameters import count_parameters
from risbook.systems.system import System
from risbook.systems.system_presets import build_meta_system, build_system, system_config

SMALL: dict[str, Any] = {
    "image_size": 32,
    "map_dims": (8, 8, 8, 8),  # eight at least: see tests/cli/test_cli.py
    "blocks": 1,
    "decoder_dim": 8,
}


@pytest.fixture
def study(tiny_world: Path) -> Study:
    place = str(tiny_world / "refscenes")
    return Study(
        name="small",
        summary="two widths",
        system="first-model",
        runs=(
            Run("narrow", SMALL, (0, 1)),
            Run("wide", {**SMALL, "decoder_dim": 16}, (0,), learning_rate=2e-3),
        ),
        data=(place,),
        steps=2,
        batch_size=4,
        eval_splits=(f"{place}:val",),
        limit=4,
    )


def test_a_study_leaves_one_result_a_run_and_can_be_resumed(study: Study, tmp_path: Path) -> None:
    lines: list[str] = []
    files = run_study(study, tmp_path / "runs", tmp_path / "results", report=lines.append)
    assert [path.name for path in files] == ["narrow-0.json", "wide-0.json", "narrow-1.json"]
    assert [line.split(": ")[1] for line in lines] == [
        "narrow, seed 0",
        "wide, seed 0",
        "narrow, seed 1",
    ]
    assert not list((tmp_path / "runs").iterdir())
    about = json.loads(files[1].read_text())
    assert (about["suite"], about["row"], about["seed"]) == ("small", "wide", 0)
    assert about["settings"]["training"]["learning_rate"] == 2e-3
    assert about["command"] == "risbook study small --only wide"
    assert about["tuned"] > 0 and about["precision"] in ("no", "bf16", "fp16")
    (row,) = about["rows"]
    ious = unpack_scores(row["ious"])
    assert len(ious) == row["count"] == len(unpack_image_ids(row["images"])) == 4
    assert abs(ious.mean() - row["mIoU"]) < 1e-4
    numbers = read_measured(tmp_path / "results", shipped=tmp_path / "none")
    assert {run.seed for run in numbers if run.row == "narrow"} == {0, 1}
    # done is done
    files[0].unlink()
    lines.clear()
    run_study(study, tmp_path / "runs", tmp_path / "results", report=lines.append)
    assert [line.split(": ")[1] for line in lines] == ["narrow, seed 0"]


def test_a_run_that_two_studies_share_is_made_once(study: Study, tmp_path: Path) -> None:
    lines: list[str] = []
    first = run_study(study, tmp_path / "runs", tmp_path / "results", report=lines.append)
    other = replace(study, name="other", runs=(Run("base", SMALL, (1, 2)),))
    lines.clear()
    files = run_study(other, tmp_path / "runs", tmp_path / "results", report=lines.append)
    assert lines == [
        "other 1/2: base, seed 1",
        "  the same run as small/narrow-1: not repeated",
        "other 2/2: base, seed 2",
    ]
    taken, original = (json.loads(path.read_text()) for path in (files[0], first[2]))
    assert (taken["suite"], taken["row"], taken["seed"]) == ("other", "base", 1)
    assert taken["command"] == "risbook study other --only base"
    assert taken["rows"] == original["rows"]
    read_measured(tmp_path / "results", shipped=tmp_path / "none")


def test_a_run_may_learn_from_fewer_images(study: Study, tmp_path: Path) -> None:
    runs = (
        Run("all", SMALL),
        Run("few", SMALL, num_images=5),
        Run("other-few", SMALL, num_images=5, subset_seed=1),
    )
    study = replace(study, runs=runs)
    files = run_study(study, tmp_path / "runs", tmp_path / "results", report=lambda _: None)
    records = [json.loads(path.read_text()) for path in files]
    training = [about["settings"]["training"] for about in records]
    assert [(t["num_images"], t["subset_seed"]) for t in training] == [(0, 0), (5, 0), (5, 1)]
    assert len({about["weights_sha256"] for about in records}) == 3
    # A result from before the field is one of all images.
    for name in ("num_images", "subset_seed"):
        training[0].pop(name)
    files[0].write_text(json.dumps(records[0]))
    run_study(study, tmp_path / "runs", tmp_path / "results", report=pytest.fail)


def test_a_run_may_be_of_another_system(study: Study, tmp_path: Path) -> None:
    small = {"map_dims": (8, 8, 8, 8), "blocks": 1, "decoder_dim": 8}
    runs = (Run("first", {**small, "image_size": 32}, system="first-model"),)
    study = replace(study, system="etris-mini", runs=runs)
    (file,) = run_study(study, tmp_path / "runs", tmp_path / "results", report=lambda _: None)
    about = json.loads(file.read_text())
    assert about["system"] == about["settings"]["training"]["system"] == "first-model"


def test_seen_and_unseen_kinds_are_scored_as_any_split(
    study: Study, unseen_world: Path, tmp_path: Path
) -> None:
    place = str(unseen_world / "refscenes-unseen")
    splits = (f"{place}:test_seen", f"{place}:test_unseen")
    study = replace(study, data=(place,), runs=(Run("few", SMALL, num_images=5),))
    study = replace(study, eval_splits=splits, limit=0)
    (path,) = run_study(study, tmp_path / "runs", tmp_path / "results", report=lambda _: None)
    rows = json.loads(path.read_text())["rows"]
    assert [row["split"] for row in rows] == ["test_seen", "test_unseen"]
    numbers = read_measured(tmp_path / "results", shipped=tmp_path / "none")
    scores = [number for number in numbers if number.measure == "mIoU"]
    assert {(number.row, number.split) for number in scores} == {
        ("few", "test_seen"),
        ("few", "test_unseen"),
    }


@functools.cache
def build_once(name: str, overrides: str) -> System:
    """A system by its overrides as JSON."""
    return build_system(name, sentences=["object"], overrides=json.loads(overrides))


#: studies of many hours, whose results are committed as they come
UNDER_WAY = (
    "few-labels-rates",
    "few-labels",
    "systems-rates",
    "systems",
    "adapter-methods",
    "detris-rates",
    "detris-ablations",
)


@pytest.mark.parametrize("name", STUDIES)
def test_results_of_the_book_still_count(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their files hold the names of earlier versions; no run may be trained again."""
    monkeypatch.setattr(
        "risbook.studies.run_settings.build_system",
        # Seeds and studies share systems, and building each once keeps this test short.
        lambda name, *, sentences, overrides: build_once(name, json.dumps(overrides)),
    )
    study, results = STUDIES[name], results_folder()
    files = sorted((results / name).glob("*.json"))
    if name not in UNDER_WAY:
        assert sorted(run_study(study, tmp_path, results, report=pytest.fail)) == files
        return
    runs = {f"{run.key}-{seed}": (run, seed) for run, seed in study.select_runs()}
    for path in files:
        training = run_training_config(study, *runs[path.stem])
        expected = run_settings(training, study.eval_splits, study.limit)
        assert not describe_differences(read_settings(path), expected), path


def test_names_of_earlier_versions_are_compared(tmp_path: Path) -> None:
    about = json.loads((results_folder() / "etris-zoom" / "mlp-0.json").read_text())
    assert about["settings"]["training"]["batch"] == 32
    assert about["settings"]["configuration"]["bridger_width"] == 32
    about["settings"]["training"]["batch"] = 16
    about["settings"]["configuration"]["bridger_width"] = 8
    path = tmp_path / "results" / "etris-zoom" / "mlp-0.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(about))
    with pytest.raises(
        RisbookError,
        match=r"\(configuration.bridger.dim: 8 there, 32 here; training.batch_size: 16",
    ):
        run_study(STUDIES["etris-zoom"], tmp_path, tmp_path / "results", only=["mlp"])


def test_shared_rows_have_no_overrides() -> None:
    plain = {
        run.key
        for study in STUDIES.values()
        for run in study.runs
        if not run.overrides and not run.system
    }
    whole = {"etris", "etris-1e-3", "all", "deconv"}
    other_rates = {f"etris-{rate}" for rate in ("3e-4", "2e-3", "4e-3", "8e-3")}
    assert plain == whole | other_rates
    for study in STUDIES.values():
        for run in study.runs:
            system = run.system or study.system
            for name, value in run.overrides.items():
                assert system_config(system, {name: value}) != system_config(system)


def test_some_rows_and_wrong_names(study: Study, tmp_path: Path) -> None:
    files = run_study(
        study, tmp_path / "runs", tmp_path / "results", only=["wide"], report=lambda _: None
    )
    assert [path.name for path in files] == ["wide-0.json"]
    shorter = run_study(
        study,
        tmp_path / "runs",
        tmp_path / "short",
        only=["wide"],
        steps=1,
        limit=2,
        precision="no",
    )
    command = json.loads(shorter[0].read_text())["command"]
    assert command.endswith("--only wide --steps 1 --limit 2 --precision no")
    with pytest.raises(RisbookError, match="has no run 'broad'; it has narrow, wide"):
        run_study(study, tmp_path / "runs", tmp_path / "results", only=["broad"])
    with pytest.raises(
        RisbookError, match=r"other settings \(training.steps: 2 there, 3 here\); move it"
    ):
        run_study(study, tmp_path / "runs", tmp_path / "results", only=["wide"], steps=3)
    with pytest.raises(RisbookError, match=r"other settings \(limit: 4 there, 3 here\)"):
        run_study(study, tmp_path / "runs", tmp_path / "results", only=["wide"], limit=3)


def test_a_changed_preset_or_tower_is_another_run(study: Study, tmp_path: Path) -> None:
    """What stands behind the same names can change; no old result then counts for the new run."""

    def run(study: Study, **given: Any) -> list[Path]:
        return run_study(study, tmp_path / "runs", tmp_path / "results", only=["wide"], **given)

    (path,) = run(study)
    about = json.loads(path.read_text())
    assert about["settings"]["configuration"]["decoder_dim"] == 16
    assert about["settings"]["towers"] == {}
    about["settings"]["configuration"]["blocks"] = 2  # as if the preset had had two before
    about["settings"]["towers"] = {"image_tower": "0123"}
    path.write_text(json.dumps(about))
    with pytest.raises(RisbookError, match=r"blocks: 2 there, 1 here; towers\.image_tower: 0123"):
        run(study)
    lines: list[str] = []
    run(replace(study, name="other"), report=lines.append)
    assert lines == ["other 1/1: wide, seed 0"]


def test_a_result_is_older_than_a_field_and_still_counts(study: Study, tmp_path: Path) -> None:
    """A new choice comes with the default that leaves all as it was, so old results stay."""

    def run() -> list[Path]:
        return run_study(study, tmp_path / "runs", tmp_path / "results", only=["wide"])

    (path,) = run()
    about = json.loads(path.read_text())
    assert about["settings"]["training"].pop("schedule") == "cosine"
    assert about["settings"]["configuration"].pop("word_dim") == 96
    path.write_text(json.dumps(about))
    assert run() == [path]
    assert "schedule" not in json.loads(path.read_text())["settings"]["training"]
    about["settings"]["training"].pop("steps")  # 1000 by default
    path.write_text(json.dumps(about))
    with pytest.raises(RisbookError, match=r"training\.steps: 1000 there, 2 here"):
        run()


def test_a_run_has_steps_and_training_fields_of_its_own(study: Study) -> None:
    run = Run("few", SMALL, steps=7, num_images=3, training={"batch_size": 2})
    changed = replace(study, runs=(run,), training={"precision": "no", "weight_decay": 0.1})
    config = run_training_config(changed, run, 5)
    assert (config.steps, config.num_images, config.batch_size, config.seed) == (7, 3, 2, 5)
    assert (config.precision, config.weight_decay) == ("no", 0.1)
    config = run_training_config(changed, run, 5, steps=1, precision="bf16")
    assert (config.steps, config.precision) == (1, "bf16")


def test_ways_of_the_label_study_differ_in_what_they_tune() -> None:
    study = STUDIES["few-labels-rates"]
    tuned = {}
    for method in METHODS:
        run = next(run for run in study.runs if run.key.startswith(f"{method}-"))
        config = run_training_config(study, run, 0)
        assert (config.steps, config.batch_size, config.precision) == (STEPS[500], 16, "no")
        system = build_once(config.system, json.dumps(dict(config.overrides)))
        tuned[method] = count_parameters(system).backbone_tuned
    assert tuned["scratch"] == tuned["frozen"] == 0
    assert 0 < tuned["etris"] < tuned["parallel"] < tuned["full"]


def test_three_systems_differ_in_their_adapters_alone() -> None:
    study = STUDIES["systems"]
    backbone, head, towers = {}, set(), set()
    for system in SYSTEMS:
        run = next(run for run in study.runs if run.key == f"{system}-500")
        config = run_training_config(study, run, 0)
        assert (config.steps, config.batch_size, run.seeds) == (STEPS[500], 16, (0, 1, 2))
        parameters = count_parameters(build_once(config.system, json.dumps(dict(config.overrides))))
        backbone[system] = parameters.backbone_tuned
        head.add(parameters.tuned - parameters.backbone_tuned)
        towers.add(parameters.frozen)
    assert len(head) == len(towers) == 1
    assert backbone["frozen"] == 0 < backbone["etris"] < backbone["detris"] < backbone["mica"]
    # what the label study has measured is not measured again
    shared = {run.key: run for run in STUDIES["few-labels"].runs}
    for run in study.runs:
        if run.key.startswith(("frozen", "etris")):
            assert run == shared[run.key]


def test_keys_are_names() -> None:
    with pytest.raises(RisbookError, match="two runs are called a"):
        Study(name="x", summary="", system="first-model", runs=(Run("a"), Run("a")))


@pytest.mark.parametrize("name", ["etris-zoom", "etris-modules"])
def test_rows_of_the_book_can_be_built(name: str) -> None:
    for run in STUDIES[name].runs:
        # the full-size sibling has the same fields, and its towers' shapes need no file
        system = build_meta_system(
            "etris-rn50" if "rn" in STUDIES[name].system else "etris-vitb16", run.overrides
        )
        assert sum(value.numel() for value in system.parameters()) > 1e8


def test_rows_of_the_ablations_of_detris_can_be_built() -> None:
    """Shapes alone, on the full-size sibling, whose fields are the same."""
    study = STUDIES["detris-ablations"]
    tuned = {}
    for run in study.runs:
        config = run_training_config(study, run, 0)
        assert (config.steps, config.num_images, config.batch_size) == (STEPS[2000], 2000, 16)
        assert (config.loss, config.precision, run.seeds) == ("cross-entropy-dice", "no", (0, 1, 2))
        system = build_meta_system("detris-b", run.overrides)
        tuned[run.key] = count_parameters(system).backbone_tuned
    assert tuned["frozen"] == 0 < tuned["no-aligner"] < tuned["no-text-adapter"] < tuned["detris"]
    # 2,715,696 as released; half of it in half of the blocks
    assert tuned["last-blocks"] * 2 == tuned["detris"] == 2_715_696
    assert tuned["kernels-1-3"] < tuned["detris"] < tuned["no-squeeze"]
    assert tuned["half-width"] < tuned["detris"] < tuned["all-blocks"] < tuned["full"]
    rates = {run.key for run in STUDIES["detris-rates"].runs}
    assert {f"{key}-1e-3" for key in ("detris", "frozen", "lora", "full")} <= rates


def test_the_command_lists_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in STUDIES)
    assert max(len(line) for line in listed.splitlines()) <= 100
    assert main(["study", "etris"]) == 2
    assert (
        "no study is called 'etris'; did you mean 'etris-pet'? there are: etris-pet"
        in capsys.readouterr().err
    )
