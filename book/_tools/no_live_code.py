"""A Sphinx extension of one idea: pages without the scripts of live code.

jupyter-book always loads the extension `sphinx_thebe`. It writes its settings into each page twice,
which is an error in a browser, and names a script on another site, although the book offers no live
code.
"""

from typing import Any

#: Events at which `sphinx_thebe` adds scripts to pages.
_EVENTS = ("env-before-read-docs", "doctree-resolved")


def disconnect_thebe(app: Any, config: Any) -> None:
    """Disconnect what `sphinx_thebe` would do while pages are written; its directive stays."""
    for event in _EVENTS:
        for listener in list(app.events.listeners[event]):
            if listener.handler.__module__ == "sphinx_thebe":
                app.disconnect(listener.id)


def setup(app: Any) -> dict[str, bool]:
    """Register the extension."""
    app.connect("config-inited", disconnect_thebe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
