"""The annotations as rows of Hugging Face, for the time in which the archive does not answer.

The repositories are copies by a third person. Their content has not been compared with the released
archives by us; `risbook data counts` compares its numbers with the published ones.
"""

from pathlib import Path

from risbook.errors import ArgumentError, RisbookError

#: set -> repository of a dataset on the Hub; of G-Ref it has the partition "umd"
REPOSITORIES = {
    "refcoco": "jxu124/refcoco",
    "refcoco+": "jxu124/refcocoplus",
    "refcocog": "jxu124/refcocog",
}


def download_rows(name: str, root: Path) -> Path:
    """Download the rows of a set, about 45 MB.

    Args:
        name: "refcoco", "refcoco+" or "refcocog".
        root: gets the folder ``NAME-rows`` with parquet files, which `risbook.data.load` opens as
            "hf:ROOT/NAME-rows".

    Returns:
        That folder.

    Raises:
        ArgumentError: there is no such set.
        RisbookError: the Hub does not answer or does not have it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if name not in REPOSITORIES:
        raise ArgumentError(f"no set is called {name!r}; there are: {', '.join(REPOSITORIES)}")
    folder = root / f"{name}-rows"
    try:
        snapshot_download(
            REPOSITORIES[name], repo_type="dataset", allow_patterns="*.parquet", local_dir=folder
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = next(iter(str(error).strip().splitlines()), "no answer")
        raise RisbookError(f"{REPOSITORIES[name]}: could not be downloaded ({reason})") from error
    if not any(folder.rglob("*.parquet")):
        raise RisbookError(f"{REPOSITORIES[name]}: the Hub has no parquet files of it (any more)")
    return folder
