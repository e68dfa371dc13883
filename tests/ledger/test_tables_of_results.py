"""Tables: what stands in which column, how it is marked, and what is refused."""

import json
from pathlib import Path

import pytest

from risbook.errors import DataError
from risbook.ledger import (
    TABLES,
    Measured,
    Ours,
    Reported,
    Row,
    Table,
    Tuned,
    fill_table,
    find_table,
    published,
    read_measured,
    records,
    render_markdown,
    show_table,
)
from risbook.ledger.selection import Filter
from risbook.systems.parameters import count_parameters
from risbook.systems.system_presets import build_meta_system

DEVICE = "x86_64 CPU, 2 threads"
SMALL = Table(
    name="small",
    title="A small table",
    heads=("Method",),
    columns=(
        Tuned(),
        Reported("mIoU", "refcoco", "val"),
        Ours(label="ours, mIoU", suite="pet", dataset="refscenes", split="val"),
        Ours(
            label="ours, tuned",
            suite="pet",
            dataset="refscenes",
            split="val",
            measure="tuned",
            per=1e6,
            unit="M",
            digits=2,
        ),
    ),
    ledger={"source": "etris", "backbone": "CLIP RN101", "variant": ""},
    rows=(
        Row(words=("Fixed backbone",), ledger={"system": "Fixed backbone"}, ours="frozen"),
        Row(words=("LoRA",), ledger={"system": "LoRA"}, ours="lora"),
        Row(words=("BitFit",), ours="bitfit"),
    ),
)


def results(folder: Path, device: str = DEVICE) -> tuple[Measured, ...]:
    for seed, share in enumerate((0.50, 0.52, 0.54)):
        about = {
            "command": "risbook suite pet",
            "date": f"2026-11-2{seed}",
            "device": device if seed else DEVICE,
            "seed": seed,
            "rows": [
                {"row": "lora", "set": "refscenes", "split": "val", "mIoU": share, "tuned": 30_000}
            ],
        }
        path = folder / "pet" / f"lora-{seed}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(about), encoding="utf-8")
    return read_measured(folder)


def cells(text: str, head: str) -> list[str]:
    [line] = [line for line in text.splitlines() if line.startswith(f"| {head} |")]
    return line.strip("| ").split(" | ")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_renders(table: Table) -> None:
    text = render_markdown(table, ())
    lines = text.splitlines()
    assert lines[0] == f"<!-- risbook results: {table.name} -->"
    assert lines[-1] == "<!-- end of risbook results -->"
    grid = [line for line in lines if line.startswith("|")]
    assert len(grid) == len(table.rows) + 2
    assert len({line.count("|") for line in grid}) == 1
    published = any(row.ledger is not None for row in table.rows)
    assert ("https://" in text) == published
    # No row is there for nothing.
    for row, cells_of_row in zip(table.rows, fill_table(table, ()), strict=True):
        assert row.ours or any(cell.published for cell in cells_of_row), row.words


def test_position_embeddings_are_as_large_as_the_comparison_says() -> None:
    report = count_parameters(build_meta_system("etris-mini"))
    tuned = sum(part.tuned for part in report.parts if "position embedding" in part.name)
    assert f"({tuned:,} weights)" in find_table("etris-pet").about


def test_names_are_unique() -> None:
    assert len({table.name for table in TABLES}) == len(TABLES)


def test_etris_main_says_what_the_number_is() -> None:
    text = show_table("etris-main").markdown
    assert cells(text, "ETRIS | CLIP RN101")[2:6] == ["1.94M", "71.06", "74.11", "66.66"]
    assert "Named oIoU in ETRIS (Xu et al. 2023), computed as mIoU." in text
    assert "- *Run again by others*: RefCOCO val, run again." in text
    assert cells(text, "CRIS | CLIP RN50")[9:11] == ["59.35", "59.39"]
    # The README of CRIS gives its metric no name.
    assert text.count("- Named ") == 1
    # A count's line is beside some score, whose note is not about the count.
    assert "- CRIS, CLIP RN50: the ETRIS paper prints 59.87" in text
    assert "equal to the RN101 entries" not in text


def test_another_name_of_the_same_metric_needs_no_note() -> None:
    assert {line.named for line in published(source="evf-sam")} == {"cIoU"}
    assert "cIoU" not in show_table("ris-landscape").markdown


def test_a_number_on_which_sources_disagree_is_shown_with_its_mark() -> None:
    text = show_table("ris-landscape").markdown
    row = cells(text, "ReLA | –")
    assert row[3:5] == ["73.82†", "76.48†"]
    assert "README of MagNet" in row[-1]
    assert "SaFiRe" in row[-1]
    assert "- ReLA, one set: sources disagree on RefCOCO val: others print 73.92." in text


def test_a_number_from_a_digest_says_so() -> None:
    text = show_table("pet-landscape").markdown
    for row in ("RISCLIP-B, CLIP-B, one set", "SERA, DINOv2 + CLIP text, one set"):
        assert f"- {row}: read in a digest of SERA's paper, not in the paper." in text
    assert "- WIMFRIS-L, DINOv2-L/14 + CLIP text, one set: read in a digest and in pub" in text
    assert "- CoLA, DINOv2-B/14 + BERT: read in a digest of CoLA's paper, not in the paper" in text


def test_bridgers_rise_and_fall_as_in_the_paper() -> None:
    grid = fill_table(find_table("etris-bridgers"), ())
    assert [row[1].text for row in grid] == ["70.96", "70.18", "69.65", "70.75", "70.53", "71.06"]
    assert [row[0].text for row in grid] == ["0.43M", "0.29M", "1.22M", "0.72M", "1.51M", "1.94M"]


def test_second_hand_is_marked_and_explained() -> None:
    text = show_table("pet-landscape").markdown
    assert cells(text, "BarLeRIa | CLIP ViT-B/16")[3:5] == ["2.21M†", "72.4†"]
    assert "- † *Second-hand*:" in text
    assert "†" not in show_table("etris-pet").markdown
    for row in cells(text, "TALENT | DINOv2-B/14 + CLIP text"):
        assert "†" not in row


def test_ours_stand_in_columns_of_their_own(tmp_path: Path) -> None:
    text = render_markdown(SMALL, results(tmp_path))
    assert cells(text, "LoRA") == ["LoRA", "0.03M", "68.84", "52.0 ± 2.0", "0.03M"]
    assert cells(text, "Fixed backbone") == ["Fixed backbone", "0", "67.73", "–", "–"]
    assert cells(text, "BitFit") == ["BitFit", "–", "–", "–", "–"]
    assert "- *Reported by the authors*: Tuned, mIoU." in text
    when = f"- *Run by us on {DEVICE}, 2026-11-20 to 2026-11-22*: ours, mIoU, ours, tuned."
    assert when in text
    assert "Our command: `risbook suite pet`." in text
    assert "standard deviation" in text


def test_a_run_that_is_not_there_yet_is_a_dash(tmp_path: Path) -> None:
    text = render_markdown(SMALL, ())
    assert cells(text, "LoRA") == ["LoRA", "0.03M", "68.84", "–", "–"]
    assert "- *Run by us, not yet*: ours, mIoU, ours, tuned." in text


def test_a_command_is_given_as_far_as_the_runs_share_it(tmp_path: Path) -> None:
    for row in ("lora", "frozen"):
        about = {
            "command": f"risbook study pet --only {row}",
            "date": "2026-11-21",
            "device": DEVICE,
            "rows": [{"row": row, "set": "refscenes", "split": "val", "mIoU": 0.5}],
        }
        (tmp_path / f"pet-{row}.json").write_text(
            json.dumps({**about, "suite": "pet"}), encoding="utf-8"
        )
    text = render_markdown(SMALL, read_measured(tmp_path))
    assert "- Our command: `risbook study pet`." in text


def test_two_budgets_never_share_a_column(tmp_path: Path) -> None:
    results(tmp_path)
    path = tmp_path / "pet" / "lora-1.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    about["settings"] = {"training": {"steps": 20, "batch": 4}}
    path.write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(DataError) as error:
        render_markdown(SMALL, read_measured(tmp_path))
    # A run without a budget is a budget of its own, and each has a result file as an example.
    files = "20 steps of 4 (pet/lora-1.json) and with no budget (pet/lora-2.json)"
    assert f"column ours, mIoU: runs with {files} do not share a column" in str(error.value)


def test_two_devices_never_share_a_column(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        render_markdown(SMALL, results(tmp_path, device="another GPU"))
    files = f"another GPU (pet/lora-2.json) and with {DEVICE} (pet/lora-0.json)"
    assert f"runs with {files} do not share a column" in str(error.value)


def test_records_carry_their_origin(tmp_path: Path) -> None:
    rows = records(SMALL, results(tmp_path))
    assert rows[1]["mIoU"]["source"] == "https://arxiv.org/abs/2307.11545"
    assert rows[1]["mIoU"]["named"] == "oIoU"
    assert [run["seed"] for run in rows[1]["ours, mIoU"]["runs"]] == [0, 1, 2]
    assert rows[2]["mIoU"] is None
    assert json.loads(json.dumps(rows)) == rows


def test_an_ambiguous_cell_is_refused() -> None:
    table = Table(
        name="vague",
        title="Vague",
        heads=("Model",),
        columns=(Reported("mIoU", "refcoco", "val"),),
        rows=(Row(words=("ETRIS",), ledger={"system": "ETRIS", "variant": ""}),),
    )
    with pytest.raises(DataError) as error:
        render_markdown(table, ())
    assert str(error.value) == (
        "table vague, row ETRIS, column mIoU: 3 lines of the ledger fit: "
        "ETRIS, CLIP RN50, single, refcoco, val (etris, Table 1) 70.39; "
        "ETRIS, CLIP RN101, single, refcoco, val (etris, Tables 1, 2 and 4 to 7) 71.06; "
        "ETRIS, CLIP ViT-B/16, single, refcoco, val (etris, Table 1) 70.51; "
        "say which in Row.ledger"
    )


@pytest.mark.parametrize(
    ("column", "row", "option", "lines"),
    [
        (
            Tuned(),
            {"system": "ETRIS", "source": "etris", "place": "Table 7"},
            "tuned",
            ("ETRIS, width 8, CLIP RN101", "(etris, Table 7) 0.22M", "ETRIS, width 128, "),
        ),
        (
            Reported("again", "refcoco", "val", by="others"),
            {"system": "ETRIS", "backbone": "CLIP RN50"},
            "others",
            ("val (rp-etris, README) 69.88", "val (etris-2, issue) 69.75"),
        ),
        (
            Reported("mIoU", "refcoco", "val"),
            {"system": "ETRIS", "variant": ("", "zoom: MLP"), "backbone": "CLIP RN101"},
            "ledger",
            (
                "ETRIS, CLIP RN101",
                "ETRIS, zoom: MLP, CLIP RN101, single, refcoco, val (etris, Table 5)",
            ),
        ),
    ],
)
def test_an_ambiguous_cell_names_the_option(
    column: Tuned | Reported, row: Filter, option: str, lines: tuple[str, ...]
) -> None:
    rows = (Row(words=("ETRIS",), ledger=row),)
    table = Table(name="vague", title="Vague", heads=("Model",), columns=(column,), rows=rows)
    with pytest.raises(DataError) as error:
        render_markdown(table, ())
    assert str(error.value).endswith(f"; say which in Row.{option}")
    for line in lines:
        assert line in str(error.value)


def test_a_rerun_is_no_report_of_the_authors() -> None:
    table = Table(
        name="rerun",
        title="Run again",
        heads=("Model",),
        columns=(Reported("mIoU", "refcoco", "val"),),
        rows=(Row(words=("ETRIS",), ledger={"source": "rp-etris", "backbone": "CLIP RN50"}),),
    )
    assert published(source="rp-etris", backbone="CLIP RN50", split="val")
    assert cells(render_markdown(table, ()), "ETRIS") == ["ETRIS", "–"]


def test_tables_are_checked_when_made() -> None:
    columns = (Reported("mIoU", "refcoco", "val"),)
    with pytest.raises(DataError, match="same heading"):
        Table(name="t", title="T", heads=("mIoU",), columns=columns, rows=())
    with pytest.raises(DataError, match="does not fit heads"):
        Table(name="t", title="T", heads=("M",), columns=columns, rows=(Row(words=("a", "b")),))


def test_unknown_tables_are_refused() -> None:
    with pytest.raises(DataError, match="no table 'etris-maine'; there are etris-main, "):
        show_table("etris-maine")


def test_a_notebook_shows_the_markdown() -> None:
    shown = show_table("etris-width")
    assert shown._repr_markdown_() == shown.markdown == repr(shown)
