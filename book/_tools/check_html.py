"""Check the built book: all pages are there, tables are tables, no link is dead, nothing is remote.

python book/_tools/check_html.py _build/html
"""

import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

from book_config import toc_pages

# Which attribute of which element makes a browser fetch something. Links are not among them:
# a reader follows those by choice.
_FETCHING = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "iframe": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "link": ("href",),
    "use": ("href", "xlink:href"),
    "image": ("href", "xlink:href"),
}
_HARMLESS_LINKS = {"canonical", "author", "license", "next", "prev", "search", "index", "help"}
_REMOTE = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
_IN_STYLE = re.compile(r"(?:url\(|@import)\s*[\"']?\s*((?:https?:)?//[^\"')\s]+)", re.IGNORECASE)
# A script on a page has no reason to name another site; a name space is not fetched.
_IN_SCRIPT = re.compile(r"https?://(?!www\.w3\.org/)[^\"'`\s<]+")


# The line under a table's head, as Markdown writes it; a page shows "---" as a dash. One dash
# between two bars may be text, two in a row are a table.
_RAW_TABLE = re.compile(r"\|(?:\s*:?(?:---+|\u2014|\u2013):?\s*\|){2}")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.remote: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.raw_tables = 0
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._inside = tag if tag in ("style", "script") else self._inside
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag == "link" and set(values.get("rel", "").split()) <= _HARMLESS_LINKS:
            return
        for name in _FETCHING.get(tag, ()):
            for part in values.get(name, "").split(","):
                if _REMOTE.match(part):
                    self.remote.append(f"<{tag} {name}> {part.strip()}")
        self.remote += [f"style of <{tag}> {u}" for u in _IN_STYLE.findall(values.get("style", ""))]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.remote += [f"<style> {url}" for url in _IN_STYLE.findall(data)]
        elif self._inside == "script":
            self.remote += [f"<script> {url}" for url in _IN_SCRIPT.findall(data)]
        else:
            self.raw_tables += _RAW_TABLE.search(data) is not None


def read_pages(html: Path) -> dict[Path, _Page]:
    """Read every HTML file of a built book, by its path inside the book."""
    pages: dict[Path, _Page] = {}
    for path in sorted(html.rglob("*.html")):
        page = pages[path.relative_to(html)] = _Page()
        page.feed(path.read_text(encoding="utf-8"))
    return pages


def remote_assets(html: Path, pages: dict[Path, _Page]) -> list[str]:
    """List everything that opening a page of the book would fetch from elsewhere."""
    problems: list[str] = []
    for path, page in pages.items():
        problems += [f"{path}: {problem}" for problem in dict.fromkeys(page.remote)]
    for path in sorted(html.rglob("*.css")):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        problems += [f"{path.relative_to(html)}: {url}" for url in _IN_STYLE.findall(text)]
    return problems


def dead_links(html: Path, pages: dict[Path, _Page]) -> list[str]:
    """List links from page to page whose file, or whose place in the file, is not there."""
    problems: list[str] = []
    for path, page in pages.items():
        for link in dict.fromkeys(page.links):
            if re.match(r"[a-z][a-z0-9+.-]*:|//", link, re.IGNORECASE):
                continue
            address, _, anchor = link.partition("#")
            file = unquote(address.partition("?")[0])
            target = Path(os.path.normpath(path.parent / file)) if file else path
            anchors = pages[target].anchors | {"", "top"} if target in pages else None
            missing_anchor = anchors is not None and unquote(anchor) not in anchors
            if missing_anchor or not (html / target).exists():
                problems.append(f"{path}: {link}")
    return problems


def raw_tables(pages: dict[Path, _Page]) -> list[str]:
    """List pages that show a table's Markdown instead of a table."""
    return [str(path) for path, page in pages.items() if page.raw_tables]


def missing_pages(html: Path, pages: list[str]) -> list[str]:
    """List the pages of the table of contents that did not become HTML."""
    return [page for page in pages if not (html / f"{page}.html").is_file()]


def main(arguments: list[str]) -> int:
    """Check one built book; returns the exit code."""
    html = Path(arguments[0] if arguments else "_build/html")
    contents, pages = toc_pages(), read_pages(html)
    missing = missing_pages(html, contents)
    problems = [f"page {page} was not built" for page in missing]
    problems += [f"remote asset in {problem}" for problem in remote_assets(html, pages)]
    problems += [f"dead link in {problem}" for problem in dead_links(html, pages)]
    problems += [f"a table is shown as Markdown in {problem}" for problem in raw_tables(pages)]
    for problem in problems:
        print(problem, file=sys.stderr)
    built = len(contents) - len(missing)
    print(f"{built} of {len(contents)} pages built, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
