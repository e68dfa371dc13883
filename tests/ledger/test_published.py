"""The ledger: every committed line is valid and says what its source says; mistakes are refused."""

import csv
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from risbook.errors import DataError
from risbook.ledger import Published, published, read_published, read_sources
from risbook.ledger.published import COLUMNS, PUBLISHED_FILE
from risbook.ledger.sources import SOURCES_FILE

GOOD = {
    "system": "ETRIS",
    "variant": "",
    "backbone": "CLIP RN101",
    "training": "single",
    "dataset": "refcoco",
    "split": "val",
    "metric": "mIoU",
    "named": "oIoU",
    "printed": "71.06",
    "tuned": "1.94M",
    "convention": "backbone",
    "source": "etris",
    "place": "Table 1",
    "evidence": "paper",
    "note": "",
}


def write(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def line_of(**wanted: str | tuple[str, ...]) -> Published:
    [row] = published(**wanted)
    return row


def test_every_committed_line_is_valid() -> None:
    rows = read_published()
    assert len(rows) > 500
    assert {row.source.key for row in rows} <= set(read_sources())
    assert all(row.source.address.startswith("https://") for row in rows)


def test_every_source_is_used() -> None:
    assert {row.source.key for row in read_published()} == set(read_sources())


def test_the_ledger_is_plain_lines() -> None:
    for path in (PUBLISHED_FILE, SOURCES_FILE):
        text = path.read_text(encoding="utf-8")
        assert "\r" not in text
        assert text.endswith("\n")


def test_what_the_etris_paper_calls_oiou_is_miou() -> None:
    rows = published(source="etris", named="oIoU")
    assert len(rows) > 60
    assert {row.metric for row in rows} <= {"mIoU", "IoU?"}
    assert not published(source="etris", metric="oIoU")
    row = line_of(
        system="ETRIS",
        variant="",
        backbone="CLIP RN101",
        split="val",
        dataset="refcoco",
        metric="mIoU",
        evidence="paper",
    )
    assert (row.printed, row.named, row.tuned) == ("71.06", "oIoU", "1.94M")


@pytest.mark.parametrize(
    ("backbone", "printed"),
    [
        ("CLIP RN50", "70.39 73.11 66.38 60.47 67.11 50.73 59.71 59.95 57.22"),
        ("CLIP RN101", "71.06 74.11 66.66 62.23 68.51 52.79 60.28 60.42 57.86"),
        ("CLIP ViT-B/16", "70.51 73.51 66.63 60.10 66.89 50.17 59.82 59.91 57.88"),
    ],
)
def test_etris_main_results(backbone: str, printed: str) -> None:
    rows = published(system="ETRIS", variant="", backbone=backbone, metric="mIoU", source="etris")
    assert [row.printed for row in rows] == printed.split()


def test_totals_of_table_3_are_sums() -> None:
    rows = published(source="etris", place="Table 3")
    models: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        models.setdefault((row.system, row.backbone), {})[row.metric] = row.value
    checked = 0
    for (system, _), counts in models.items():
        if {"params-backbone", "params-decoder", "params-total"} <= set(counts):
            total = counts["params-backbone"] + counts["params-decoder"]
            # In three of the paper's lines the total is not this sum.
            if (system, counts["params-total"]) in {
                ("EFN", 232.78),
                ("CRIS", 146.85),
                ("CRIS", 161.25),
            }:
                assert abs(total - counts["params-total"]) > 1
                continue
            assert total == pytest.approx(counts["params-total"], abs=0.011)
            checked += 1
    assert checked == 6


def test_ratios_of_table_3_follow_from_its_counts() -> None:
    def count(system: str, backbone: str) -> float:
        return line_of(system=system, backbone=backbone, metric="params-backbone").value

    def share(of: str) -> float:
        return line_of(
            metric="share", variant=f"as a share of the backbone of {of}", backbone=backbones[of]
        ).value

    # Three have a backbone of the same size, and one ratio between them.
    assert {count(of, "") for of in ("BRINet", "LSCM", "CMPC+")} == {61.00}
    ratio = 100 * count("ETRIS", "CLIP RN101") / 61.00
    three = line_of(metric="share", variant="as a share of the backbone of BRINet, LSCM and CMPC+")
    assert ratio == pytest.approx(three.value, abs=0.006)
    backbones = {"PCAN": "CLIP RN50", "EFN": "CLIP RN101", "ReSTR": "CLIP ViT-B/16"}
    others = {"PCAN": "ResNet-50", "EFN": "", "ReSTR": "ViT-B/16"}
    for of, backbone in backbones.items():
        ratio = 100 * count("ETRIS", backbone) / count(of, others[of])
        assert ratio == pytest.approx(share(of), abs=0.006)


def test_shares_that_abstracts_name() -> None:
    for system, shares in (("ETRIS", ("1.61", "3.38")), ("DETRIS", ("0.9", "1.8"))):
        rows = published(system=system, place="abstract", metric="share")
        assert tuple(row.printed for row in rows) == shares
        assert [row.variant.split()[0] for row in rows] == ["smallest", "largest"]


@pytest.mark.parametrize(
    ("system", "metric"),
    [("DETRIS-B", "mIoU"), ("DETRIS-B", "oIoU"), ("DETRIS-L", "mIoU"), ("DETRIS-L", "oIoU")],
)
def test_means_of_detris_follow_from_its_splits(system: str, metric: str) -> None:
    rows = published(system=system, metric=metric, training="single", source="detris")
    splits = [row.value for row in rows if row.dataset != "all"]
    [mean] = [row.value for row in rows if row.split == "mean-9"]
    assert len(splits) == 9
    assert statistics.fmean(splits) == pytest.approx(mean, abs=0.06)


def test_precision_falls_with_its_threshold() -> None:
    groups: dict[tuple[str, ...], list[Published]] = {}
    for row in published():
        if row.metric.startswith("Pr@"):
            key = (row.system, row.variant, row.backbone, row.dataset, row.split)
            groups.setdefault(key, []).append(row)
    assert len(groups) == 22
    for rows in groups.values():
        values = [row.value for row in sorted(rows, key=lambda row: row.metric)]
        assert values == sorted(values, reverse=True)


def test_what_others_say_is_marked() -> None:
    assert {row.evidence for row in published(source=("survey", "sera", "wimfris", "cola"))} == {
        "second-hand"
    }
    assert {row.evidence for row in published(source=("rp-etris", "etris-2", "etris-4"))} == {
        "re-run"
    }
    kinds = Counter(row.evidence for row in published(source="etris", system="CRIS"))
    assert set(kinds) == {"second-hand"}


def test_what_only_a_digest_says_is_reported() -> None:
    rows = published(source=("sera", "wimfris", "cola"))
    assert len(rows) == 21
    for row in rows:
        assert row.evidence == "second-hand"
        assert row.place in ("digest", "digest and public reviews")
        assert row.note.startswith("read in a digest ")


@pytest.mark.parametrize(
    ("system", "backbone", "mean"),
    [
        ("ETRIS", "CLIP ViT-B/16", "63.44"),
        ("BarLeRIa", "CLIP ViT-B/16", "67.06"),
        ("DETRIS-B", "DINOv2-B/14 + CLIP text", "71.01"),
    ],
)
def test_means_of_colas_digest_are_those_of_the_splits(
    system: str, backbone: str, mean: str
) -> None:
    row = line_of(system=system, split="mean-8", source="cola")
    rows = published(
        system=system,
        backbone=backbone,
        variant="",
        metric="mIoU",
        dataset=("refcoco", "refcoco+", "refcocog"),
        split=("val", "testA", "testB", "val-u", "test-u"),
        evidence=("paper", "code", "second-hand"),
    )
    assert row.backbone == backbone
    assert len(rows) == 8
    assert f"{statistics.fmean(line.value for line in rows):.2f}" == mean
    assert f"the mean of its eight splits here is {mean}" in row.note
    assert row.value == pytest.approx(float(mean), abs=0.05)


def test_a_name_is_what_the_authors_print() -> None:
    # The README of CRIS names no metric, and the ETRIS paper knows none of our keys of counts.
    assert {row.named for row in published(source="cris")} == {""}
    counts = [row for row in published() if row.metric.startswith("params-")]
    assert len(counts) == 31
    assert {row.named for row in counts} == {""}


def test_sources_are_the_pages_of_papers() -> None:
    sources = read_sources()
    assert "/Shang_Prompt-Driven_Referring_Image_Segmentation" in sources["prompt-ris"].address
    # A README that changes is named with its commit.
    assert "/tree/b025431472cdee9dc11d6d5db5366b2921183bdc/" in sources["mlcd"].address
    rows = published(system="MLCD-seg-7B")
    assert " ".join(row.printed for row in rows) == "83.6 85.3 81.5 79.4 82.9 75.6 79.7 80.5"
    assert {"commit 1c0d074" in row.note for row in rows} == {True}


def test_mica_has_no_score_of_a_split() -> None:
    assert [row.metric for row in published(system="MiCA-B")] == ["gain"]


def test_filter_takes_several_values_and_refuses_unknown_columns() -> None:
    assert len(published(system=("DETRIS-B", "DETRIS-L"), split="mean-9")) == 4
    assert line_of(printed="58.70").variant == "without hierarchical alignment"
    with pytest.raises(DataError, match="no field 'colour'"):
        published(colour="red")


def test_a_good_line_is_read(tmp_path: Path) -> None:
    [row] = read_published(write(tmp_path / "ledger.csv", GOOD))
    assert row.value == 71.06
    assert row.source.title.startswith("ETRIS")


def test_a_gain_may_be_negative(tmp_path: Path) -> None:
    gain = {**GOOD, "dataset": "all", "split": "mean", "metric": "gain", "printed": "-0.8"}
    [row] = read_published(write(tmp_path / "ledger.csv", gain))
    assert (row.value, row.printed) == (-0.8, "-0.8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "testC"}, "unknown split 'testC'; known: val, testA, testB"),
        ({"dataset": "refclef"}, "unknown dataset 'refclef'"),
        ({"dataset": "refcocog"}, "unknown split 'val'; known: val-u"),
        ({"metric": "IoU"}, "unknown metric 'IoU'"),
        ({"printed": "0.7106"}, "lies outside 1 to 100"),
        ({"printed": "101.0"}, "lies outside 1 to 100"),
        ({"printed": "-71.06"}, "lies outside 1 to 100"),
        ({"metric": "Pr@0.5", "printed": "-0.5"}, "lies outside 0 to 100"),
        ({"printed": "--71.06"}, "is not a number"),
        ({"printed": "71,06"}, "is not a number"),
        ({"printed": ""}, "is not a number"),
        ({"source": ""}, "unknown source ''"),
        ({"source": "hearsay"}, "unknown source 'hearsay'"),
        ({"evidence": ""}, "unknown evidence ''"),
        ({"training": "double"}, "unknown training 'double'"),
        ({"tuned": "two"}, "is not a count"),
        ({"convention": ""}, "need each other"),
        ({"system": ""}, "the system has no name"),
        ({"metric": "share"}, "belongs to a model"),
        ({"note": " blank"}, "begins or ends with a blank"),
    ],
)
def test_mistakes_name_file_and_line(change: dict[str, str], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "ledger.csv", {**GOOD, "split": "testA"}, {**GOOD, **change})
    with pytest.raises(DataError) as error:
        read_published(path)
    assert message in str(error.value)
    assert f"{path}:3: " in str(error.value)


def test_a_claim_stands_once(tmp_path: Path) -> None:
    path = write(tmp_path / "ledger.csv", GOOD, {**GOOD, "printed": "71.09"})
    with pytest.raises(DataError, match=r"ledger\.csv:3: the same claim stands in .*ledger\.csv:2"):
        read_published(path)


def test_a_malformed_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "ledger.csv"
    with pytest.raises(DataError, match="no such file"):
        read_published(path)
    path.write_text("system,value\nETRIS,71.06\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"ledger\.csv:1: the first line has to be"):
        read_published(path)
    path.write_text(",".join(COLUMNS) + "\nETRIS,71.06\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"ledger\.csv:2: a line has 15 cells"):
        read_published(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,Title,http://example.org", "https://"),
        ("a,,https://example.org", "needs a key and a title"),
        ("a,A,https://example.org\na,A,https://example.org", "twice"),
    ],
)
def test_mistakes_in_sources(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "sources.csv"
    path.write_text(f"key,title,address\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_sources(path)


def test_the_ledger_loads_without_torch() -> None:
    code = (
        "import sys, risbook.ledger as ledger; ledger.read_measured(); ledger.published();"
        "print('torch' in sys.modules, 'matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
