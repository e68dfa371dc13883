"""The annotations as the REFER project released them: one zip per set.

The project's server has been silent since September 2022. The Internet Archive keeps copies, whose
digests stand in several independent projects. Whoever has a zip already names its path.
"""

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from risbook.data.download.http_files import PATIENT, Retries, download_file
from risbook.errors import ArgumentError, DataError, RisbookError
from risbook.files import write_atomically
from risbook.progress_bar import progress_bar

if TYPE_CHECKING:
    from tqdm import tqdm

#: An instances.json has 0.15 GB; a member that is larger than this is not unpacked.
MAX_MEMBER_BYTES = 2**30


@dataclass(frozen=True)
class ReleasedArchive:
    """A zip of annotations.

    Args:
        urls: where it is, in the order in which they are tried.
        sha256: its digest.
        size: bytes.
    """

    urls: Sequence[str]
    sha256: str
    size: int


_SERVER = "https://bvisionweb1.cs.unc.edu/licheng/referit/data"
_ARCHIVE = "https://web.archive.org/web"

ARCHIVES = {
    "refcoco": ReleasedArchive(
        (f"{_ARCHIVE}/20220413011718id_/{_SERVER}/refcoco.zip", f"{_SERVER}/refcoco.zip"),
        "7f924bb7ed8dc4568058e4ff626281918d56e5206f4c868c5a80f088f38c8bf0",
        53_993_993,
    ),
    "refcoco+": ReleasedArchive(
        (f"{_ARCHIVE}/20220413011656id_/{_SERVER}/refcoco+.zip", f"{_SERVER}/refcoco+.zip"),
        "5f1238112d63199e68da54a28f201471909b21ded7ed79a57d51b4c1443c6b45",
        45_613_210,
    ),
    "refcocog": ReleasedArchive(
        (f"{_ARCHIVE}/20220413012904id_/{_SERVER}/refcocog.zip", f"{_SERVER}/refcocog.zip"),
        "3d1f7e5b2ff2205940bf59de55f861f5f2cc1403fb980669933a7f9af1aa8211",
        56_712_951,
    ),
}


def download_annotations(
    name: str, root: Path, *, archive: Path | None = None, retries: Retries = PATIENT
) -> Path:
    """Download and unpack the annotations of a set; nothing happens if they are there.

    Args:
        name: "refcoco", "refcoco+" or "refcocog".
        root: gets the folder of the set, in which ``instances.json`` counts as the last file.
        archive: a zip that is on this machine already, in place of a download; None for
            ``NAME.zip`` in `root`, if it is there. Such a zip stays.
        retries: how long a connection waits, and how often each source is tried.

    Returns:
        The folder of the set.

    Raises:
        ArgumentError: there is no such set.
        DataError: `archive` is not the released zip, or damaged.
        RisbookError: no source has the released zip; the message says what to do.
    """
    if name not in ARCHIVES:
        raise ArgumentError(f"no set is called {name!r}; there are: {', '.join(ARCHIVES)}")
    released, folder = ARCHIVES[name], root / name
    if (folder / "instances.json").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    if archive is None and (root / f"{name}.zip").is_file():
        archive = root / f"{name}.zip"
    if archive is not None:
        _check_digest(archive, released)
        _unpack(archive, folder)
        return folder
    path = root / f"{name}.zip.download"
    _download(name, released, path, retries)
    _unpack(path, folder)
    path.unlink()
    return folder


def _download(name: str, released: ReleasedArchive, path: Path, retries: Retries) -> None:
    """Download a zip from the first source whose file has the digest; others are deleted."""
    reasons = []
    for url in released.urls:
        with progress_bar(
            total=released.size, desc=f"{name}.zip", unit="B", unit_scale=True
        ) as bar:

            def show(size: int, bar: "tqdm[Any]" = bar) -> None:
                bar.update(size - bar.n)

            try:
                if not path.is_file():
                    download_file(url, path, on_size=show, retries=retries)
                return _check_digest(path, released)
            except DataError as error:
                path.unlink()
                reasons.append(f"{url}: {error}")
            except RisbookError as error:
                reasons.append(str(error))
    raise RisbookError(
        f"{name}: the annotations could not be downloaded ({'; '.join(reasons)}); run the command "
        f"again, which goes on where it stopped, or name a {name}.zip of your own by --archive"
    )


def _check_digest(path: Path, released: ReleasedArchive) -> None:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if digest != released.sha256:
        raise DataError(
            f"{path}: not the released archive, or damaged: its sha256 begins with {digest[:8]}, "
            f"not {released.sha256[:8]}"
        )


def _unpack(path: Path, folder: Path) -> None:
    """Take the annotations alone out of the zip; ``instances.json`` is written last."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {
                PurePosixPath(info.filename).name: info
                for info in archive.infolist()
                if not info.is_dir() and _is_annotation(PurePosixPath(info.filename))
            }
            for name in sorted(members, key=lambda name: (name == "instances.json", name)):
                if members[name].file_size > MAX_MEMBER_BYTES:
                    raise DataError(f"{path}: {name} has {members[name].file_size:,} bytes")
                with write_atomically(folder / name) as temporary:
                    temporary.write_bytes(archive.read(members[name]))
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: is not a zip, or damaged ({error})") from error
    if "instances.json" not in members:
        raise DataError(f"{path}: holds no instances.json")


def _is_annotation(member: PurePosixPath) -> bool:
    """Whether a member is an annotation; macOS' copies of the names in ``__MACOSX`` are not."""
    name = member.name
    is_refs = name.startswith("refs(") and name.endswith((").p", ").json"))
    return "__MACOSX" not in member.parts and (name == "instances.json" or is_refs)
