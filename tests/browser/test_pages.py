"""Every page of the built book: no error, no request to another site, nothing broken or cut off."""

from typing import Any

import pytest
from book_config import toc_pages

pytestmark = pytest.mark.xdist_group("browser")

#: what a page shows, as a person would find it wrong
PROBLEMS = """
() => {
  const problems = [];
  for (const image of document.images) {
    if (!image.complete || image.naturalWidth === 0) problems.push(`broken image ${image.src}`);
    if (!image.hasAttribute("alt")) problems.push(`image without alt text ${image.src}`);
  }
  for (const error of document.querySelectorAll("mjx-merror, .MathJax_Error"))
    problems.push(`formula not understood: ${error.textContent}`);
  for (const formula of document.querySelectorAll("span.math, div.math"))
    if (!formula.querySelector("mjx-container svg")) problems.push("formula not drawn");
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 1) {
    const limit = document.documentElement.clientWidth + 1;
    const parts = [...document.querySelectorAll("article *")]
      .filter((part) => part.getBoundingClientRect().right > limit)
      .map((part) => `${part.tagName}.${part.className}`);
    problems.push(`${wide} pixels too wide: ${parts.slice(0, 3).join(", ")}`);
  }
  for (const code of document.querySelectorAll("div.highlight pre"))
    if (code.scrollWidth > code.clientWidth + 1 &&
        !["auto", "scroll"].includes(getComputedStyle(code).overflowX))
      problems.push(`code line cut off: ${code.textContent.slice(0, 40)}`);
  const headings = document.querySelectorAll("article :is(h1, h2, h3, h4)");
  const levels = [...headings].map((heading) => Number(heading.tagName[1]));
  levels.forEach((level, place) => {
    if (place && level > levels[place - 1] + 1) problems.push(`heading ${place} skips a level`);
  });
  return problems;
}
"""


@pytest.mark.parametrize("page", toc_pages())
def test_a_page_is_whole_on_a_screen_and_on_a_phone(page: str, site: str, browser: Any) -> None:
    errors: list[str] = []
    for width, scheme in ((1280, "light"), (390, "dark")):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        tab = context.new_page()
        tab.on("console", lambda m: m.type == "error" and errors.append(f"console: {m.text}"))
        tab.on("pageerror", lambda error: errors.append(f"script: {error}"))
        tab.on(
            "request",
            lambda request: (
                request.url.startswith((site, "data:", "blob:"))
                or errors.append(f"request to {request.url}")
            ),
        )
        tab.goto(f"{site}/{page}.html", wait_until="load")
        if tab.locator("span.math, div.math").count():
            tab.wait_for_function("window.MathJax?.startup?.promise !== undefined")
            tab.evaluate("window.MathJax.startup.promise")
        errors.extend(f"{width} pixels: {problem}" for problem in tab.evaluate(PROBLEMS))
        context.close()
    assert not errors, "\n".join(errors)
