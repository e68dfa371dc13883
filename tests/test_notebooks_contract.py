"""The contract of the chapters, held against every notebook, and a test of the contract."""

import copy

import nbformat
import pytest
from book_config import ROOT, notebooks
from contract import CHAPTERS_ONLY, PARTS, RETOLD, RULES, is_lab, problems, read_chapter
from glossary_terms import Term
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from normal_form import normalise
from notebooks import check, process
from retold import KINDS, RETOLD_RULES, Chapter, letters_of, reading_minutes
from stubs import StubError, stub_source

NOTEBOOKS = notebooks()
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlE"
    "QVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def names(path):
    return path.relative_to(ROOT).as_posix()


def test_there_are_chapters():
    assert len(NOTEBOOKS) >= 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_chapter_keeps_the_contract(path):
    book = nbformat.read(path, as_version=4)
    faults = problems(book, read_chapter(path), is_lab=is_lab(path))
    assert not faults, "\n".join(["", *faults])


def test_retold_chapters_exist():
    assert set(RETOLD) <= {names(path).removesuffix(".ipynb") for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_chapter_is_in_normal_form(path, capsys):
    assert check(path), capsys.readouterr().out


def test_no_notebook_stands_outside_the_book():
    strays = [
        path
        for folder in ("risbook", "tests")
        for path in (ROOT / folder).rglob("*.ipynb")
        if ".ipynb_checkpoints" not in path.parts
    ]
    assert not strays


def printed(text):
    return [new_output("stream", name="stdout", text=text)]


def plotted():
    return [new_output("display_data", {"image/png": PIXEL, "text/plain": "<Figure>"})]


def code(source, outputs=(), **metadata):
    return new_code_cell(source, outputs=list(outputs), metadata=metadata)


def good(words=230):
    """A chapter that says nothing, but keeps every rule."""
    filler = "word " * words
    box = '<div class="admonition note">\n<p>Box: <span class="measured">5 s</span></p>\n</div>'
    cells = [new_markdown_cell(f'# Title\n\nPromise. <span class="launch"></span>\n\n{box}')]
    for part in PARTS[:-1]:
        cells.append(new_markdown_cell(f"## {part}\n\n{filler}"))
        cells += [code("assert 1 + 1 == 2"), code("print(2)", printed("2\n")), code("x = 2\ny = x")]
    alt = {"image": {"alt": "a white square with nothing on it"}}
    cells.append(code("plt.plot([1])\nplt.show()", plotted(), mystnb=alt))
    cells.append(code("train()", printed("loss 0.1\n"), tags=["nbval-ignore-output"]))
    cells.append(code("assert after < before"))
    options = (
        "<details><summary>A</summary>Yes.</details>\n<details><summary>B</summary>No.</details>"
    )
    text = f"## {PARTS[-1]}\n\n{filler}\n\n" + "".join(
        f"### Question {n}\n\n{options}\n\n" for n in (1, 2, 3)
    )
    cells.append(new_markdown_cell(text))
    for n in (1, 2):
        cells.append(new_markdown_cell(f"### Exercise {n}\n\nDo it."))
        cells.append(code(f"check('E{n}', f{n}, [])", printed(f"E{n}: not attempted yet.\n")))
        solution = f"def f{n}(a):\n    return a\n\n\ncheck('E{n}', f{n}, [])"
        cells.append(code(solution, printed(f"E{n}: correct (1 case).\n"), tags=["solution"]))
    five = "\n".join(f"- line {n}" for n in range(5))
    cells.append(new_markdown_cell(f"### Take away\n\n{five}\n\n### Further reading\n\nA paper."))
    return normal(new_notebook(cells=cells))


def normal(book):
    return normalise(book, url="", branch="main", path="book/a.ipynb")


def first(book, start):
    return next(cell for cell in book.cells if cell.source.startswith(start))


def test_a_good_chapter_passes_and_normal_form_is_stable():
    book = good()
    assert problems(book) == []
    assert nbformat.writes(normal(book)) == nbformat.writes(book)
    nbformat.validate(book)


def unmeasured(book):
    book.cells[0].source = book.cells[0].source.replace("5 s", "")


def part_missing(book):
    cell = first(book, "## Look inside")
    cell.source = cell.source.replace("## Look inside", "## Elsewhere")


def short_summary(book):
    cell = first(book, "### Take away")
    cell.source = cell.source.replace("- line 3\n", "")


def two_questions(book):
    cell = first(book, "## Check yourself")
    cell.source = cell.source.replace("### Question 3", "#### And")


def stub_removed(book):
    book.cells = [c for c in book.cells if c.metadata.get("risbook", {}).get("role") != "stub"]


def solution_wrong(book):
    first(book, "def f1").outputs = printed("E1: not yet, case 1\n")


def too_few_words(book):
    for cell in book.cells:
        cell.source = (
            cell.source.replace("word ", "") if cell.cell_type == "markdown" else cell.source
        )


def long_cell(book):
    first(book, "x = 2").source = "\n".join(["x = 2"] * 61)


def too_few_cells(book):
    book.cells = [c for c in book.cells if c.source not in ("x = 2\ny = x", "print(2)")]


def many_figures(book):
    first(book, "plt.plot").outputs = plotted() * 9


def heavy(book):
    first(book, "print(2)").outputs = printed("2" * 900_000)


def count_off(book):
    first(book, "print(2)").execution_count = 99


def output_cleared(book):
    first(book, "print(2)").outputs = []


def widget_state(book):
    book.metadata["widgets"] = {}


def error_stream(book):
    first(book, "print(2)").outputs = [new_output("stream", name="stderr", text="careful")]


def failed(book):
    first(book, "print(2)").outputs = [new_output("error", ename="E", evalue="", traceback=[])]


def prints_path(book):
    first(book, "print(2)").outputs = printed("saved to /home/reader/a.png")


def prints_address(book):
    first(book, "print(2)").outputs = printed("<object at 0x7f3a2b1c>")


def prints_time(book):
    first(book, "print(2)").outputs = printed("took 3.2 s")


def unknown_tag(book):
    first(book, "print(2)").metadata["tags"] = ["skip-me"]


def many_unchecked(book):
    for cell in book.cells:
        if cell.source == "print(2)" or cell.source.startswith("x = 2"):
            cell.metadata["tags"] = ["nbval-ignore-output"]


def no_relation(book):
    first(book, "assert after").source = "pass"


def setup_missing(book):
    book.cells.pop(1)


def no_alt(book):
    first(book, "plt.plot").metadata = {}


def no_show(book):
    first(book, "plt.plot").source += "\nprint()"


def directive(book):
    first(book, "## The idea").source += "\n\n```{note}\nraw in Colab\n```"


def role(book):
    first(book, "## The idea").source += " see {ref}`there`"


def remote_picture(book):
    first(book, "## The idea").source += ' <img src="https://example.org/a.png" alt="a">'


def picture_without_alt(book):
    first(book, "## The idea").source += ' <img src="a.png">'


def nothing_asserted(book):
    for cell in book.cells:
        cell.source = cell.source.replace("assert 1 + 1 == 2", "1 + 1")


BREACHES = {
    unmeasured: "header",
    part_missing: "parts",
    short_summary: "parts",
    two_questions: "questions",
    stub_removed: "exercises",
    solution_wrong: "exercises",
    too_few_words: "size",
    long_cell: "size",
    too_few_cells: "size",
    many_figures: "size",
    heavy: "size",
    count_off: "outputs",
    output_cleared: "outputs",
    widget_state: "outputs",
    error_stream: "outputs",
    failed: "outputs",
    prints_path: "noise",
    prints_address: "noise",
    prints_time: "noise",
    unknown_tag: "tags",
    many_unchecked: "tags",
    no_relation: "tags",
    setup_missing: "setup",
    no_alt: "figures",
    no_show: "figures",
    directive: "markup",
    role: "markup",
    remote_picture: "markup",
    picture_without_alt: "markup",
    nothing_asserted: "assertions",
}


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: breach.__name__)
def test_every_breach_is_told(breach):
    book = good()
    breach(book)
    assert BREACHES[breach] in {problem.partition(":")[0] for problem in problems(book)}


def test_every_rule_has_a_breach():
    assert set(BREACHES.values()) == set(RULES)


NOTATION = """| symbol | shape | meaning |
|---|---|---|
| $H, W$ | | height and width, in pixels |
| $A$ | | attention |
| $A$ | | the other meaning |

Parameters are $\\theta$.
"""
TERMS = (
    Term("mask", ("mask", "segmentation mask"), ("마스크",), "One value per pixel."),
    Term("category", ("category",), ("범주",), "The class."),
)
CHAPTER = Chapter("1.2", TERMS, frozenset({"category"}), NOTATION)
CAPTION = "*Figure 1.2.1. The white square, without an object, is the whole image.*"


EXPLANATION = """Figure 1.2.1 shows [masks](../glossary.md#mask) and a mask.

| symbol | meaning |
|---|---|
| $H$ | height and width |
| $Q$ | a query |

$$Q_{ij} = \\log H + \\theta$$"""


def retold():
    """A chapter that says nothing, but keeps the rules for retold chapters as well."""
    *cells, last = good(words=320).cells
    exercises_start = next(n for n, c in enumerate(cells) if c.source.startswith("### Exercise"))
    cells = cells[:exercises_start]
    for cell in cells:
        if cell.source.startswith("assert"):
            cell.metadata["tags"] = ["remove-cell"]
        if cell.source.startswith("x = 2"):
            cell.source += "\nz = y"
    figure = next(n for n, cell in enumerate(cells) if cell.source.startswith("plt."))
    cells.insert(figure + 1, new_markdown_cell(f"{CAPTION}\n\n{EXPLANATION}"))
    cells[3:3] = [code("w = 1") for _ in range(4)]
    option = "<details><summary>A</summary>The first mask.</details>\n"
    unattempted = printed("E: not attempted yet. Fill in.\n")
    solution = "def f_solution(a):\n    return a\n\n\ncheck_solution(f_solution, cases)"
    cells += [
        new_markdown_cell(f"### Exercise 1 ({KINDS[0]}): a function"),
        code("cases = []\ncheck('E', f, cases)", unattempted),
        code(solution, tags=["solution"]),
        new_markdown_cell(f"### Exercise 2 ({KINDS[1]}): an experiment"),
        code("my_prediction = ..."),
        code("compare_prediction('E', my_prediction, measure)", unattempted),
        new_markdown_cell(f"{option}\n### Exercise 3 ({KINDS[2]}): a table\n\n{option}{option}"),
        last,
    ]
    return normal(new_notebook(cells=cells))


def test_a_good_retold_chapter_passes():
    book = retold()
    assert problems(book, CHAPTER) == []
    nbformat.validate(book)


def append(text):
    def breach(book):
        first(book, CAPTION).source += f"\n\n{text}"

    return breach


def replace(old, new):
    def breach(book):
        cell = next(cell for cell in book.cells if old in cell.source)
        cell.source = cell.source.replace(old, new, 1)

    return breach


def show(text):
    def breach(book):
        first(book, "print(2)").outputs = printed(text)

    return breach


def hidden_code(book):
    book.cells.append(code("secret = 3", tags=["remove-cell"]))


def assertion_in_view(book):
    first(book, "assert 1").metadata["tags"] = []


def solution_prints(book):
    first(book, "def f_solution").outputs = printed("E: correct (1 case).\n")


def two_lines_of_a_checker(book):
    first(book, "cases = []").outputs = printed("E: not attempted yet.\nand more\n")


def stub_missing(book):
    book.cells.remove(next(c for c in book.cells if c.source.startswith("# Your turn")))


def alt_says_picture(book):
    first(book, "plt.plot").metadata["mystnb"]["image"]["alt"] = "a picture of a white square"


RETOLD_BREACHES = [
    ("size", append("word " * 4500)),
    ("code_lines", replace("z = y", "z = y  # " + "long " * 20)),
    ("comprehensions", replace("z = y", "z = [[[1 for a in b] for b in c] for c in y]")),
    ("comprehensions", replace("z = y", "z = [1 for c in y for b in c for a in b]")),
    (
        "comprehensions",
        replace("z = y", "z = [[a for a in b] for b in y], [a for b in y for a in b]"),
    ),
    ("guards", hidden_code),
    ("guards", assertion_in_view),
    ("answers", show("True\n")),
    ("answers", show("same weights: True\n")),
    ("answers", show("(True, False)\n")),
    ("captions", replace(CAPTION, "No caption.")),
    ("captions", replace("Figure 1.2.1. The white", "Figure 1.2.2. The white")),
    ("captions", append("Figure 1.2.7 shows it.")),
    ("exercises", replace(KINDS[2], KINDS[1])),
    ("exercises", replace("### Exercise 2", "### Exercise 4")),
    ("exercises", replace("my_prediction = ...", "my_prediction = 3")),
    ("exercises", solution_prints),
    ("exercises", two_lines_of_a_checker),
    ("exercises", stub_missing),
    ("solution_names", replace("z = y", "f = y")),
    ("solution_names", replace("z = y", "my_prediction = y")),
    ("solution_names", replace("def f_solution", "def f")),
    ("glossary", replace("[masks](../glossary.md#mask)", "Segmentation masks")),
    ("glossary", append("A [maske](../glossary.md#maske).")),
    ("symbols", append("$$Z + 1$$")),
    ("symbols", append("$$A + 1$$")),
    ("symbols", replace("| $H$ | height", "| $H$ | depth")),
    ("symbols", replace("| $Q$ | a query |", "| $Q$ | a query |\n| $Q$ | a quality |")),
    ("language", append("The Picture is white.")),
    ("language", append("One mask a sentence.")),
    ("language", alt_says_picture),
]


@pytest.mark.parametrize(("rule", "breach"), RETOLD_BREACHES)
def test_every_breach_of_a_retold_chapter_is_told(rule, breach):
    book = retold()
    breach(book)
    faults = {problem.partition(":")[0] for problem in problems(book, CHAPTER)}
    assert faults - {"outputs"} == {rule}  # a cell more or less also spoils the counts


def test_every_rule_for_retold_chapters_has_a_breach():
    assert {rule for rule, _ in RETOLD_BREACHES} == set(RETOLD_RULES)


def test_language_leaves_quotations_code_and_fixed_headings_alone():
    book = retold()
    append(
        'The sentence "thing on the left", `picture`, Dice loss, '
        "[Seeing things](https://arxiv.org/abs/1)."
    )(book)
    assert problems(book, CHAPTER) == []


def test_letters_are_symbols_and_words_are_not():
    formula = (
        r"\hat{M}_{ij} = \mathcal{L}(Z_{h_{1}}) \text{ if } \log x^{2} > \tau \cdot \mathrm{IoU}"
    )
    assert letters_of(formula) == {r"\hat{M}", r"\mathcal{L}", "Z", "x", r"\tau"}


def test_time_to_read_counts_words_and_visible_code():
    book = retold()
    minutes = reading_minutes(book)
    first(book, "print(2)").source = "\n".join(["print(2)"] * 121)
    assert reading_minutes(book) == minutes + 10
    first(book, "assert 1").source = "\n".join(["assert 1"] * 121)
    assert reading_minutes(book) == minutes + 10
    first(book, "print(2)").metadata["tags"] = ["hide-input"]
    assert reading_minutes(book) == minutes


def test_normal_form_forgets_who_ran_it():
    book = good()
    other = copy.deepcopy(book)
    other.metadata = {"widgets": {}, "colab": {"provenance": []}, "kernelspec": {"name": "mine"}}
    for number, cell in enumerate(other.cells):
        cell.id = f"random-{number}"
        cell.metadata["colab"] = {"base_uri": "x"}
        cell.metadata["execution"] = {"iopub.status.busy": "now"}
        if cell.cell_type == "code":
            cell.execution_count = 7
            cell.outputs.append(new_output("stream", name="stderr", text="  3%"))
    assert nbformat.writes(normal(other)) == nbformat.writes(book)


def test_an_address_adds_links_and_reaches_the_set_up_cell():
    url = "https://github.com/owner/name"
    book = normalise(good(), url=url, branch="main", path="book/a.ipynb")
    assert "colab.research.google.com/github/owner/name/blob/main/book/a.ipynb" in (
        book.cells[0].source
    )
    assert f'REPOSITORY = "{url}"' in book.cells[1].source
    assert "http" not in good().cells[0].source + good().cells[1].source
    assert "repository.url" in good().cells[1].source


def test_stub_keeps_signature_and_what_is_given():
    solution = '''import torch


def area(mask):
    """Count the pixels."""
    flags = mask > 0
    # answer
    return int(flags.sum())


check("E", area, [])'''
    assert stub_source(solution).splitlines()[1:] == [
        "import torch",
        "",
        "",
        "def area(mask):",
        '    """Count the pixels."""',
        "    flags = mask > 0",
        "    raise NotImplementedError",
    ]
    namespace = {}
    exec(stub_source(solution).replace("import torch", ""), namespace)
    with pytest.raises(NotImplementedError):
        namespace["area"](3)


def test_stub_does_not_show_the_answer():
    stub = stub_source("def f(a):\n    # twice\n    return 2 * a\n\n\nanswer = f(3)\ncheck(answer)")
    assert "2 * a" not in stub and "twice" not in stub and "f(3)" not in stub
    assert "answer = ..." in stub
    with pytest.raises(StubError):
        stub_source("print(3)")


def test_stub_of_a_class_keeps_signatures_and_what_is_given():
    solution = '''import torch


class Fusion_solution(torch.nn.Module):
    """Add the sentence to the map."""

    scale = 2

    # given
    def __init__(self, channels):
        super().__init__()
        self.project = torch.nn.Linear(channels, channels)

    def forward(self, image_map, sentence):
        """Return a map (B, C, H, W)."""
        sentence = self.project(sentence)
        # answer
        return image_map + self.scale * sentence[:, :, None, None]


check_solution(Fusion_solution, cases, run=run_fusion)'''
    stub = stub_source(solution)
    assert stub.splitlines()[1:] == [
        "import torch",
        "",
        "",
        "class Fusion(torch.nn.Module):",
        '    """Add the sentence to the map."""',
        "    scale = 2",
        "",
        "    def __init__(self, channels):",
        "        super().__init__()",
        "        self.project = torch.nn.Linear(channels, channels)",
        "",
        "    def forward(self, image_map, sentence):",
        '        """Return a map (B, C, H, W)."""',
        "        sentence = self.project(sentence)",
        "        raise NotImplementedError",
    ]


def test_stub_loses_the_suffix_of_the_solution():
    solution = """area_solution = 12


def half_solution(a):
    # via area_solution
    return a / 2


def quarter_solution(a):
    half = half_solution(a)
    # answer
    return half_solution(half)


check_solution(quarter_solution, cases)"""
    stub = stub_source(solution)
    assert "_solution" not in stub
    assert "area = ..." in stub and "half = half(a)" in stub and "def quarter(a):" in stub


def test_a_guard_may_stand_between_checker_and_solution():
    cells = [
        new_markdown_cell("# Title"),
        code("check('E', f, cases)"),
        code("assert cases", tags=["remove-cell"]),
        code("def f_solution(a):\n    return a", tags=["solution"]),
    ]
    roles = [
        cell.metadata.get("risbook", {}).get("role")
        for cell in normal(new_notebook(cells=cells)).cells
    ]
    assert roles == [None, "set-up", "stub", None, None, None]


def test_a_lab_keeps_the_rules_of_form_alone():
    lab = new_notebook(cells=[new_markdown_cell("# Lab"), code("x = 1")])
    rules = {fault.partition(":")[0] for fault in problems(lab, is_lab=True)}
    assert {"header", "setup"} <= rules and not rules & set(CHAPTERS_ONLY)
    assert is_lab(ROOT / "book/labs/any.ipynb") and not is_lab(ROOT / "book/task/data.ipynb")


def test_measuring_writes_the_header_and_keeps_the_outputs(tmp_path, monkeypatch):
    def execute(book, path):
        for cell in book.cells[1:]:
            cell.outputs = [new_output("stream", text="another output")]
        return 70.0, 1.5

    monkeypatch.setattr("notebooks.execute", execute)
    monkeypatch.setattr("notebooks._relative", lambda path: f"book/{path.name}")
    printed = new_output("stream", text="the committed output")
    header = new_markdown_cell('# A\n\n<span class="measured"></span>')
    book = new_notebook(cells=[header, new_code_cell("print(1)", outputs=[printed])])
    path = tmp_path / "a.ipynb"
    nbformat.write(book, path)
    process(path, run=True, keep_outputs=True)
    text = path.read_text()
    assert "70 s to run" in text and "1.5 GB" in text
    assert "the committed output" in text and "another output" not in text
