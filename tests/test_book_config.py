"""The book's settings, and the checks that are run on the built book."""

import re
import subprocess
import sys
import tomllib

import pytest
from book_config import ROOT, notebooks, read_yaml, toc_pages
from check_html import dead_links, missing_pages, raw_tables, read_pages, remote_assets
from glossary_terms import read_terms
from setup_cell import launch_links, setup_source

CONFIG = read_yaml(ROOT / "_config.yml")


def test_every_page_of_the_contents_exists():
    for page in toc_pages():
        assert any((ROOT / f"{page}{suffix}").is_file() for suffix in (".md", ".ipynb")), page
    assert len(toc_pages()) == len(set(toc_pages()))


def test_every_finished_notebook_is_in_the_contents():
    pages = {path.relative_to(ROOT).with_suffix("").as_posix() for path in notebooks()}
    assert pages <= set(toc_pages())


def test_outputs_are_never_replaced_by_a_build():
    assert CONFIG["execute"]["execute_notebooks"] == "off"
    assert CONFIG["only_build_toc_files"] is True
    assert CONFIG["repository"]["branch"] == "main"
    assert "path_to_book" not in CONFIG["repository"]


def test_extensions_name_the_defaults_again():
    extensions = CONFIG["parse"]["myst_enable_extensions"]
    defaults = {"colon_fence", "dollarmath", "linkify", "substitution", "tasklist"}
    assert defaults | {"html_admonition", "html_image"} <= set(extensions)


def test_formulas_and_widgets_need_no_network():
    settings = CONFIG["sphinx"]["config"]
    assert settings["mathjax_path"] == "mathjax/tex-svg.js"
    assert settings["nb_ipywidgets_js"] == {}


def test_requirements_cover_the_package_and_pin_only_the_book():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = [line.partition("#")[0].strip() for line in lines if line.partition("#")[0].strip()]
    listed = {re.split(r"[<>=~!]", line)[0]: line for line in wanted}
    assert listed["jupyter-book"] == "jupyter-book>=1.0.4.post1,<2"
    capped = [name for name, line in listed.items() if re.search(r"<|==|~=", line)]
    assert capped == ["jupyter-book"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for dependency in project["dependencies"]:
        assert listed.get(re.split(r"[<>=~!]", dependency)[0]) == dependency


def test_no_link_is_rendered_until_the_address_is_set():
    assert launch_links("", "main", "book/a.ipynb") == ""
    links = launch_links("https://gitlab.com/o/n", "main", "book/a.ipynb")
    assert "colab" not in links and "https://gitlab.com/o/n/blob/main/book/a.ipynb" in links


def test_set_up_cell_installs_risbook_alone():
    source = setup_source("https://github.com/o/n")
    assert source.count("%pip install --quiet --no-deps git+{REPOSITORY}") == 1
    assert source.count("\n    %") == 1


def test_missing_pages_and_remote_assets_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="https://example.org">fine</a><link rel="canonical" href="https://e.org">'
        '<script src="local.js"></script><img src="data:image/png;base64,AA==">'
        '<script>const name = "http://www.w3.org/2000/svg"</script>'
    )
    assert missing_pages(tmp_path, ["a", "b/c"]) == ["b/c"]
    assert remote_assets(tmp_path, read_pages(tmp_path)) == []
    bad = {
        "script.html": '<script src="https://cdn.example.org/x.js"></script>',
        "style.html": '<link rel="stylesheet" href="//example.org/x.css">',
        "picture.html": '<img src="http://example.org/x.png"/>',
        "inline.html": "<style>@import url('https://example.org/f.css');</style>",
        "load.html": '<script>s.src = "https://example.org/t.js"</script>',
        "named.html": '<script>const address = "https://example.org/t.js"</script>',
        "font.css": "@font-face{src:url(https://example.org/f.woff2)}",
    }
    for name, text in bad.items():
        (tmp_path / name).write_text(text)
    assets = remote_assets(tmp_path, read_pages(tmp_path))
    assert {asset.partition(":")[0] for asset in assets} == set(bad)


def test_dead_links_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="x"></p><a href="#x">here</a><a href="b.html#y">b</a><a href="#">top</a>'
        '<a href="mailto:a@b.org">m</a><a href="b.html#%EA%B0%80">Korean</a>'
    )
    (tmp_path / "b.html").write_text(
        '<p id="가"></p><a name="y"></a><a href="a.html?q=1#x">a</a><a href="a.html#gone">no</a>'
        '<a href="../gone.md">gone</a>'
    )
    dead = dead_links(tmp_path, read_pages(tmp_path))
    assert dead == ["b.html: a.html#gone", "b.html: ../gone.md"]


def test_tables_that_stayed_markdown_are_found(tmp_path):
    table = "<table><tr><td>a | b</td></tr></table><pre>-- | -- | :-) </pre>"
    table += "<p>none | \u2014 | none</p>"
    (tmp_path / "good.html").write_text(table)
    for number, line in enumerate(("| Method | :--- | ---: |", "| a | | :\u2014 | \u2014: |")):
        (tmp_path / f"raw{number}.html").write_text(f"<p>{line}</p>")
    assert raw_tables(read_pages(tmp_path)) == ["raw0.html", "raw1.html"]


@pytest.mark.parametrize("target", ["help", "book", "test", "lab", "notebooks", "clean"])
def test_make_knows_its_commands(target):
    command = ["make", "-n", target, f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_shell_script_of_the_checks_is_sound():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_glossary_terms_are_unique_and_in_order():
    terms = read_terms((ROOT / "book" / "glossary.md").read_text(encoding="utf-8"))
    assert len(terms) >= 10
    anchors = [term.anchor for term in terms]
    names = [name.lower() for term in terms for name in term.names]
    assert len(set(anchors)) == len(anchors) and len(set(names)) == len(names)
    first_names = [term.names[0].lower() for term in terms]
    assert first_names == sorted(first_names)


def test_a_term_without_its_korean_name_is_refused():
    with pytest.raises(ValueError, match="is not of the form"):
        read_terms('<span id="mask"></span>**mask**: One value per pixel.')


def test_captions_get_their_class_and_other_text_in_italics_does_not():
    nodes = pytest.importorskip("docutils.nodes")
    captions = pytest.importorskip("figure_captions")
    document = nodes.section()
    for text in ("Figure 1.2.3. A white square.", "Figure skating.", "the left ball"):
        document += nodes.paragraph("", "", nodes.emphasis(text, text))
    captions.mark_captions(None, document)
    classes = [paragraph["classes"] for paragraph in document.children]
    assert classes == [["ris-caption"], [], []]


def test_an_answer_after_a_folded_cell_is_open_and_others_stay_folded():
    nodes = pytest.importorskip("docutils.nodes")
    answers = pytest.importorskip("folded_answers")
    text = "<details><summary>Answer</summary>It is 0.33.</details>"
    document = nodes.section()
    for tag in ("tag_hide-cell", "tag_hide-input"):
        caption = nodes.paragraph("", "A caption.", classes=["ris-caption"])
        document += [nodes.container(classes=["cell", tag]), caption]
        document += nodes.raw("", text, format="html")
    answers.join_answers(None, document)
    assert document.children[2].astext().startswith('<details class="ris-answer" open>')
    assert document.children[5].astext() == text
    assert document.children[0]["prompt_show"] == "Show the answer"


def test_the_style_sheet_hides_captions_of_folded_cells_alone():
    style = (ROOT / "book" / "_static" / "risbook.css").read_text(encoding="utf-8")
    rules = re.findall(r"^.*details:not\(\[open\]\).*$", style, re.MULTILINE)
    assert rules and all("div.cell.tag_hide-cell:has(" in rule for rule in rules)
