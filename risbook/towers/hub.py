"""Files on the hub, by name and pinned revision, through `huggingface_hub` and its cache."""

import re
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from risbook.errors import DataError, RisbookError
from risbook.towers.weights import file_digest


@dataclass(frozen=True)
class HubFile:
    """One file of a repository on the hub.

    Args:
        repo: "owner/name".
        file: its path in the repository.
        revision: a commit of 40 hexadecimal digits, or "main" where none could be verified; the
            commit that was found is noted in the weights' origin either way.
        sha256: its digest, if one is known from an independent source; then it is checked.
        size: bytes, about; for whoever decides whether to download.
    """

    repo: str
    file: str
    revision: str = "main"
    sha256: str = ""
    size: int = 0

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit."""
        return re.fullmatch("[0-9a-f]{40}", self.revision) is not None

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision[:8]}"


def cached(hub: HubFile) -> Path | None:
    """The file in the hub client's cache, or None; asks no network."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hub.repo, hub.file, revision=hub.revision)
    return Path(found) if isinstance(found, str) else None


def commit_of(path: Path) -> str:
    """The commit that a file of the cache belongs to: the name of its snapshot's folder."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts[:-1] else ""


def hub_in_reach(*, timeout: float = 5.0) -> bool:
    """Whether somebody answers at the hub's address; the client would try for half a minute.

    Args:
        timeout: seconds to wait.

    Returns:
        True also where a proxy stands between, which only the client can ask.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    address = urlsplit(constants.ENDPOINT)
    proxied = getproxies().get(address.scheme) or getproxies().get("all")
    if proxied and not proxy_bypass(address.hostname or ""):
        return True
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=timeout):
            return True
    except OSError:
        return False


def fetch(hub: HubFile, *, ways_out: str) -> Path:
    """The file, from the cache or downloaded into it.

    Args:
        hub: which one.
        ways_out: what a reader without network can do, for the message.

    Returns:
        Its path in the cache.

    Raises:
        RisbookError: if it is not in the cache and cannot be had; one line with the ways out.
        DataError: if it is not the file that the table pins.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    path = cached(hub)
    if path is None:
        what = f"{hub.repo}/{hub.file} at {hub.revision[:8]}"
        if not hub_in_reach():
            raise RisbookError(f"{what} is not here, the hub not in reach; {ways_out}")
        try:
            path = Path(hf_hub_download(hub.repo, hub.file, revision=hub.revision))
        except LocalEntryNotFoundError as error:
            raise RisbookError(
                f"{what} is not here and the hub not in reach; {ways_out}"
            ) from error
        except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as error:
            raise RisbookError(f"the hub has no {what} (any more); {ways_out}") from error
        except (HfHubHTTPError, OSError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
            raise RisbookError(f"{what} could not be had ({reason}); {ways_out}") from error
    if hub.pinned and commit_of(path) != hub.revision:
        raise DataError(f"{path}: not of revision {hub.revision}, which is pinned for {hub.repo}")
    return path


def check_digest(path: Path, hub: HubFile) -> str:
    """The file's sha256, equal to the known one if there is one.

    Raises:
        DataError: if it is not.
    """
    digest = file_digest(path)
    if hub.sha256 and digest != hub.sha256:
        raise DataError(
            f"{path}: its sha256 begins with {digest[:8]}, not {hub.sha256[:8]}: it is damaged or "
            "another file; delete it to have it downloaded again"
        )
    return digest
