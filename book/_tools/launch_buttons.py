"""A Sphinx extension of one idea: no Colab button until `_config.yml` names the repository.

The theme stops with an error when it finds a Colab address but no repository to open there.
"""

from typing import Any


def without_repository(app: Any, config: Any) -> None:
    """Take the launch buttons away while `repository.url` is empty."""
    options = config.html_theme_options
    if not options.get("repository_url"):
        options["launch_buttons"] = {}


def setup(app: Any) -> dict[str, bool]:
    """Register the extension."""
    app.connect("config-inited", without_repository)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
