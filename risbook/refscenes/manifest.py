"""The list of a world's files with their sizes and digests, by which damage is noticed.

Three checks, from cheap to thorough: the sizes of all files each time a world is opened (one
directory listing), the digest of an image when it is read, and all digests on request.
"""

import hashlib
import json
from pathlib import Path

from risbook.errors import DataError
from risbook.files import read_json, write_atomically

MANIFEST = "manifest.json"
#: Tells what a world was made from.
STAMP = "world.json"
_ALTERED = "was altered since this world was drawn"

#: Path below the root, with slashes -> bytes and SHA-256 of the file.
Manifest = dict[str, tuple[int, str]]


def write_manifest(root: Path) -> None:
    """List all files of a world but the licence, which editors and version control may touch."""
    files = {
        path.relative_to(root).as_posix(): (path.stat().st_size, _digest(path))
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != MANIFEST and path.parent.name != "LICENSE"
    }
    with write_atomically(root / MANIFEST) as temporary:
        temporary.write_text(json.dumps(files, indent=0, sort_keys=True) + "\n", encoding="ascii")


def read_manifest(root: Path) -> Manifest:
    """Read the list; empty for a folder without one. A damaged list is a `DataError`."""
    path = root / MANIFEST
    if not path.is_file():
        return {}
    try:
        content = read_json(path)
        return {str(name): (int(size), str(digest)) for name, (size, digest) in content.items()}
    except (DataError, ValueError, TypeError, AttributeError) as error:
        raise damage(root, MANIFEST, f"is damaged ({type(error).__name__})") from error


def check_sizes(root: Path) -> None:
    """Raise a `DataError` if a listed file is missing or has another size."""
    for name, (size, _) in read_manifest(root).items():
        try:
            actual = (root / name).stat().st_size
        except OSError:
            raise damage(root, name, "is missing from this drawn world") from None
        if actual != size:
            raise damage(root, name, _ALTERED)


def check_digests(root: Path) -> None:
    """Raise a `DataError` if a listed file is missing or has other content."""
    check_sizes(root)
    for name, (_, digest) in read_manifest(root).items():
        if _digest(root / name) != digest:
            raise damage(root, name, _ALTERED)


def digests_of_world(root: Path) -> dict[Path, str]:
    """File -> SHA-256; empty for a folder that is no drawn world, or has no manifest."""
    if not (root / STAMP).is_file():
        return {}
    return {root / name: digest for name, (_, digest) in read_manifest(root).items()}


def damage(root: Path, name: str, fault: str) -> DataError:
    """The error for a damaged file of a world."""
    return DataError(f"{root / name}: {fault}; remove {root} to have it drawn anew")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
