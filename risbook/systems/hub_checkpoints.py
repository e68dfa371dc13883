"""Checkpoints on the Hugging Face Hub: "owner/name" becomes a folder in the Hub client's cache."""

import re
from pathlib import Path

from risbook.errors import DataError, RisbookError
from risbook.towers.weights.lookup import hub_in_reach

REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
#: Safetensors and JSON only, so nothing that is downloaded can run code.
FILES = ("config.json", "model.safetensors", "tokenizer.json", "training.json")


def is_repository(name: str | Path) -> bool:
    """Whether a name that is no checkpoint here can be one on the Hub.

    "runs/first" is a path if the folder "runs" exists, and a repository otherwise.
    """
    return (
        isinstance(name, str)
        and REPOSITORY.fullmatch(name) is not None
        and not Path(name).parent.exists()
    )


def download_checkpoint(repo: str, *, revision: str | None = None) -> Path:
    """The folder of a checkpoint of the Hub; what is in the cache is not downloaded again.

    Args:
        repo: "owner/name".
        revision: a commit, a branch or a tag; None for the newest commit, or the newest in the
            cache if the Hub is not reachable. A commit makes results repeatable.

    Raises:
        DataError: if the Hub has no such repository or revision, or no checkpoint in it.
        RisbookError: if the Hub is not reachable and the files are not in the cache.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    wanted = f"{repo} at {revision[:12]}" if revision else repo
    try:
        folder = snapshot_download(
            repo,
            revision=revision,
            allow_patterns=list(FILES),
            local_files_only=not hub_in_reach(),
        )
    except LocalEntryNotFoundError as error:
        raise RisbookError(
            f"{wanted}: neither a folder here nor in the cache, and the Hugging Face Hub is not "
            "reachable; connect to the network once, then it stays in the cache"
        ) from error
    except GatedRepoError as error:
        raise DataError(
            f"{wanted}: the Hugging Face Hub shows it to permitted users only; ask for access on "
            "its page and log in by `hf auth login`"
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise DataError(
            f"{wanted}: neither a folder here nor a repository on the Hugging Face Hub; if it is "
            "private, log in by `hf auth login`"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        reason = next(iter(str(error).strip().splitlines()), "no answer")
        raise RisbookError(f"{wanted}: could not be downloaded ({reason})") from error
    if not (Path(folder) / "config.json").is_file():
        raise DataError(
            f"{wanted}: the repository on the Hugging Face Hub has no config.json, so it is no "
            "checkpoint that risbook wrote"
        )
    return Path(folder)
