"""The landing page's table of hardware and time, from what programs measured.

python book/_tools/hardware_table.py           write it into book/index.md
python book/_tools/hardware_table.py --check   write nothing; 1 if the page holds another table

Rows come from the boxes of the notebooks, which the notebook tool fills, and from the cards of
the checkpoints that are shipped.
"""

import re
import sys

import nbformat
from book_config import BOOK, notebooks

from risbook.evaluation import read_result
from risbook.systems import list_shipped
from risbook.systems.checkpoints import SHIPPED_SYSTEMS
from risbook.training import TrainingConfig, read_log

PAGE = BOOK / "index.md"
_TABLE = re.compile(r"(<!-- measured by a program -->\n).*?(<!-- end -->)", re.DOTALL)
_MEASURED = re.compile(r'<span class="measured">(.*?)</span>', re.DOTALL)


def rows() -> list[tuple[str, str, str]]:
    """What to do, what it needs, and the time and memory that were measured."""
    table = []
    for path in notebooks():
        header = nbformat.read(path, 4).cells[0].source
        title = header.splitlines()[0].removeprefix("# ")
        measured = _MEASURED.search(header)
        place = path.relative_to(BOOK).as_posix()
        cost = measured.group(1) if measured and measured.group(1) else "not measured yet"
        table.append((f"chapter [{title}]({place})", "two CPU cores", cost))
    for name in list_shipped():
        result = read_result(SHIPPED_SYSTEMS / name / "scores.json")
        config = TrainingConfig.load(SHIPPED_SYSTEMS / name / "training.json")
        log = [
            row for row in read_log(SHIPPED_SYSTEMS / name / "log.jsonl") if row["kind"] == "step"
        ]
        minutes = round(log[-1]["seconds"] / 60)
        cost = (
            f"{minutes} min for {config.steps:,} steps (run by us on {result['device']}, "
            f"{result['date']})"
        )
        table.append((f"train the shipped `{name}` again", "two CPU cores", cost))
    return table


def page() -> str:
    """The page with its table filled in."""
    lines = ["| to do this | you need | time and memory |", "|---|---|---|"]
    lines.append("| read the book | a browser; once built it needs no network | as you like |")
    lines.append(
        "| install everything | about 6 GB of disk, and a network once | "
        "mostly the download of PyTorch |"
    )
    lines += [f"| {' | '.join(row)} |" for row in rows()]
    lines.append("| train at full size on RefCOCO (part 7) | a GPU | not measured yet |")
    table = "\n" + "\n".join(lines) + "\n\n"
    return _TABLE.sub(
        lambda match: match.group(1) + table + match.group(2), PAGE.read_text(encoding="utf-8")
    )


def main() -> int:
    """Write the table, or check it."""
    wanted = page()
    if PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    if "--check" in sys.argv[1:]:
        print("book/index.md: its table is old; run python book/_tools/hardware_table.py")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
