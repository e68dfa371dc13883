"""The parts of a notebook that depend on the repository's address: set-up cell and links.

Both are generated, so that all notebooks carry the same ones and one line of `_config.yml`
changes them all.
"""

import re

from book_config import COLAB

_TEMPLATE = """\
# Set-up, the same in every notebook. Colab has everything but risbook: install that alone.
REPOSITORY = "{url}"  # written by `make notebooks` from repository.url in _config.yml
try:
    import risbook
except ModuleNotFoundError:
    if not REPOSITORY:
        todo = "run `pip install -e .`, or set repository.url and run `make notebooks`"
        raise ModuleNotFoundError(f"risbook is missing: {{todo}}") from None
    %pip install --quiet --no-deps git+{{REPOSITORY}}
    import risbook"""


def setup_source(url: str) -> str:
    """Write the set-up cell for the repository at ``url``, which may be empty."""
    return _TEMPLATE.format(url=url)


def launch_links(url: str, branch: str, path: str) -> str:
    """Write the links to Colab and to the notebook; nothing while no address is set.

    Args:
        url: Address of the repository, or an empty string.
        branch: Branch that the links point to.
        path: The notebook, relative to the repository.

    >>> launch_links("", "main", "book/a.ipynb")
    ''
    """
    if not url:
        return ""
    links = [f'<a href="{url}/blob/{branch}/{path}">See the notebook</a>']
    match = re.fullmatch(r"https://github\.com/([^/]+/[^/]+)", url)
    if match:  # Colab opens notebooks of GitHub only
        colab = f"{COLAB}/github/{match[1]}/blob/{branch}/{path}"
        links.insert(0, f'<a href="{colab}">Open in Colab</a>')
    return " · ".join(links)
