"""Where the book is and what `_config.yml` says about it."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
COLAB = "https://colab.research.google.com"


def read_yaml(path: Path) -> Any:
    """Read one YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def repository_url(root: Path = ROOT) -> str:
    """Read the one place that names the repository's address; empty until someone sets it."""
    repository = read_yaml(root / "_config.yml").get("repository") or {}
    return str(repository.get("url") or "").rstrip("/").removesuffix(".git")


def branch(root: Path = ROOT) -> str:
    """Read the branch that links point to."""
    return str((read_yaml(root / "_config.yml").get("repository") or {}).get("branch") or "main")


def toc_pages(root: Path = ROOT) -> list[str]:
    """List every page that `_toc.yml` names, without suffix, in order."""
    pages: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            for key in ("root", "file"):
                if key in node:
                    pages.append(str(node[key]).removesuffix(".md").removesuffix(".ipynb"))
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(read_yaml(root / "_toc.yml"))
    return pages


def chapter_numbers(root: Path = ROOT) -> dict[str, str]:
    """Number the pages of the numbered parts as the book does: ``{"book/task/a": "1.1"}``."""
    numbers: dict[str, str] = {}
    count = 0
    for part in read_yaml(root / "_toc.yml")["parts"]:
        for chapter in part["chapters"] if part.get("numbered") else ():
            count += 1
            numbers[str(chapter["file"])] = str(count)
            for place, page in enumerate(chapter.get("sections", ()), start=1):
                numbers[str(page["file"])] = f"{count}.{place}"
    return numbers


def notebooks(root: Path = ROOT) -> list[Path]:
    """List the committed notebooks, in the order of `_toc.yml`, unlisted ones last."""
    paths = [
        path
        for path in sorted((root / "book").rglob("*.ipynb"))
        if not any(part.startswith((".", "_")) for part in path.relative_to(root).parts)
    ]
    order = toc_pages(root)

    def place(path: Path) -> int:
        page = path.relative_to(root).with_suffix("").as_posix()
        return order.index(page) if page in order else len(order)

    return sorted(paths, key=place)
