"""Copy MathJax into the book, so that a reader without network sees formulas.

The files come from the Python package ``django-static-mathjax``, which carries the unchanged
MathJax 3 release (Apache License 2.0) and needs nothing of Django. The SVG renderer is taken
because it is one file: the other one fetches fonts, which browsers refuse to pages that were
opened from disk.
"""

import shutil
import sys
from importlib import metadata
from pathlib import Path

from book_config import BOOK

PACKAGE = "django-static-mathjax"
TARGET = BOOK / "_static" / "mathjax"
# The program, what it may load later (rare TeX commands, the context menu), and its licence.
WANTED = ("es5/tex-svg.js", "es5/input/tex/extensions/", "es5/ui/", "LICENSE")


def vendor(target: Path = TARGET) -> int:
    """Copy the wanted files to ``target``; returns how many are there."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        raise SystemExit(f"{PACKAGE} is not installed: pip install -r requirements.txt") from None
    wanted = [
        (inside, Path(str(file.locate())))
        for file in files
        for start, inside in [_inside(str(file))]
        if start and inside.startswith(WANTED)
    ]
    if not any(inside == "es5/tex-svg.js" for inside, _ in wanted):
        raise SystemExit(f"{PACKAGE} {metadata.version(PACKAGE)} does not hold es5/tex-svg.js")
    for inside, source in wanted:
        copy = target / inside.removeprefix("es5/")
        if not copy.is_file() or copy.stat().st_size != source.stat().st_size:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
    return len(wanted)


def _inside(file: str) -> tuple[bool, str]:
    _, start, inside = file.replace("\\", "/").partition("static/mathjax/")
    return bool(start), inside


if __name__ == "__main__":
    print(f"MathJax: {vendor()} files in {TARGET.relative_to(BOOK.parent)}")
    sys.exit(0)
