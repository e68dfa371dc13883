"""The one form in which notebooks are committed.

A notebook in normal form depends on its cells and their results alone: not on who ran it, when,
where, or with which front end. ``normalise`` is idempotent, so "is it in normal form?" is the
question whether it changes anything.
"""

import base64
import copy
import hashlib
import io
import re
from typing import Any

import nbformat
from PIL import Image
from setup_cell import launch_links, setup_source
from stubs import StubError, stub_source

Notebook = nbformat.NotebookNode

TAGS = (
    "remove-cell",
    "hide-input",
    "hide-cell",
    "solution",
    "nbval-ignore-output",
    "raises-exception",
)
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_KEPT_METADATA = ("tags", "mystnb", "risbook")
_SOLUTION_PROMPTS = {
    "code_prompt_show": "Show the solution",
    "code_prompt_hide": "Hide the solution",
}
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
_LAUNCH = re.compile(r'(<span class="launch">).*?(</span>)', re.DOTALL)


def normalise(book: Notebook, *, url: str, branch: str, path: str) -> Notebook:
    """Return the notebook in normal form; the one given is left alone.

    Args:
        book: The notebook.
        url: Address of the repository, empty while unknown.
        branch: Branch that links point to.
        path: The notebook's path relative to the repository, with forward slashes.

    Raises:
        StubError: An exercise's solution cannot be turned into a stub.
    """
    book = copy.deepcopy(book)
    book.nbformat, book.nbformat_minor = 4, 5
    book.metadata = nbformat.from_dict(_METADATA)
    cells = [cell for cell in book.cells if cell.source.strip()]
    cells = _with_setup(cells, setup_source(url))
    cells = _with_stubs(cells)
    if cells and cells[0].cell_type == "markdown":
        links = launch_links(url, branch, path)
        cells[0].source = _LAUNCH.sub(lambda m: m[1] + links + m[2], cells[0].source)
    count = 0
    for place, cell in enumerate(cells):
        cell.source = "\n".join(line.rstrip() for line in cell.source.splitlines()).strip("\n")
        cell.metadata = nbformat.from_dict(_metadata(cell))
        cell.id = _identity(place, cell)
        cell.pop("attachments", None) if cell.get("attachments") == {} else None
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = _outputs(cell.outputs, count)
    book.cells = cells
    return book


def _with_setup(cells: list[Notebook], source: str) -> list[Notebook]:
    """Put the set-up cell right after the header, replacing an older one."""
    rest = [cell for cell in cells if cell.metadata.get("risbook", {}).get("role") != "set-up"]
    old = [cell for cell in cells if cell not in rest and cell.cell_type == "code"]
    setup = old[0] if old else nbformat.v4.new_code_cell()
    if setup.source != source:
        setup.source, setup.outputs = source, []
    setup.metadata = nbformat.from_dict({"tags": ["remove-cell"], "risbook": {"role": "set-up"}})
    at = 1 if rest and rest[0].cell_type == "markdown" else 0
    return [*rest[:at], setup, *rest[at:]]


def _with_stubs(cells: list[Notebook]) -> list[Notebook]:
    """Put a fresh stub before every checker, which is the code cell before a solution."""
    old = [cell for cell in cells if cell.metadata.get("risbook", {}).get("role") == "stub"]
    cells = [cell for cell in cells if cell.metadata.get("risbook", {}).get("role") != "stub"]
    result: list[Notebook] = []
    for cell in cells:
        if cell.cell_type == "code" and "solution" in cell.metadata.get("tags", []):
            places = reversed(range(len(result)))
            checker = next((n for n in places if _visible_code(result[n])), None)
            if checker is None:
                raise StubError("a solution has no checker cell before it")
            source = stub_source(cell.source)
            stub = next((stub for stub in old if stub.source == source), None)
            stub = stub or nbformat.v4.new_code_cell(source)
            stub.metadata = nbformat.from_dict({"risbook": {"role": "stub"}})
            result.insert(checker, stub)
        result.append(cell)
    return result


def _visible_code(cell: Notebook) -> bool:
    return cell.cell_type == "code" and "remove-cell" not in cell.metadata.get("tags", [])


def _metadata(cell: Notebook) -> dict[str, Any]:
    kept = {key: cell.metadata[key] for key in _KEPT_METADATA if cell.metadata.get(key)}
    tags = set(kept.get("tags", []))
    if "solution" in tags:
        # Output too: in older chapters a solution prints "correct" below an unattempted stub.
        tags = tags - {"hide-input"} | {"hide-cell"}
        kept["mystnb"] = {**kept.get("mystnb", {}), **_SOLUTION_PROMPTS}
    if tags:
        in_order = [tag for tag in TAGS if tag in tags]
        kept["tags"] = in_order + sorted(tags - set(TAGS))
    # The book folds the cell by its tag, JupyterLab and Colab by this.
    if "hide-cell" in tags:
        kept["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
    elif "hide-input" in tags:
        kept["jupyter"] = {"source_hidden": True}
    return kept


def _identity(place: int, cell: Notebook) -> str:
    """Name a cell by its place and source, so that a rerun on any machine names it alike."""
    return hashlib.sha256(f"{place}\n{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]


def _small_png(encoded: str) -> str:
    """Store a figure with a palette: 256 colours take a third of the space of millions."""
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        if image.mode == "P":
            return encoded.strip()
        page = Image.new("RGB", image.size, "white")
        page.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
    small = io.BytesIO()
    # The default method gives rare colours away, such as a yellow outline on a photograph.
    palette = page.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=3)
    palette.save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode("ascii")


def _outputs(outputs: list[Notebook], count: int) -> list[Notebook]:
    result: list[Notebook] = []
    for output in outputs:
        if output.output_type == "stream" and output.name == "stderr":
            continue  # progress bars and warnings of other people's packages
        output = copy.deepcopy(output)
        if output.output_type == "stream":
            if result and result[-1].output_type == "stream":
                result[-1].text += output.text
                continue
        elif output.output_type in ("display_data", "execute_result"):
            output.data.pop(WIDGET_VIEW, None)
            output.metadata = nbformat.from_dict({})
            if not output.data:
                continue
            if output.output_type == "execute_result":
                output.execution_count = count
            if "image/png" in output.data:
                # "<Figure size 640x480 with 1 Axes>" tells nobody anything.
                output.data = nbformat.from_dict(
                    {
                        "image/png": _small_png(output.data["image/png"]) + "\n",
                        "text/plain": output.data.get("text/plain", "<Figure>"),
                    }
                )
        elif output.output_type == "error":
            output.traceback = []
        result.append(output)
    return result
