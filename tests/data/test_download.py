"""Downloads of the real sets, from a server on this machine that misbehaves."""

import hashlib
import http.server
import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

import risbook
from risbook.cli import main
from risbook.data.catalog import open_data
from risbook.data.download import (
    check_set,
    download_annotations,
    download_photographs,
    download_set,
    released_archives,
)
from risbook.data.download.http_files import Retries
from risbook.data.download.photograph_download import list_photographs
from risbook.data.download.released_archives import ReleasedArchive
from risbook.errors import ArgumentError, DataError, RisbookError

QUICK = Retries(timeout=0.4, attempts=4, first_pause=0.01)
FAST: dict[str, Any] = {"retries": QUICK, "connections": 4}


class Server:
    """Serves `files`; the n-th answer for a path may be a failure of `failures`."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.failures: dict[str, list[str]] = {}
        self.requests: list[tuple[str, str]] = []  # path and asked range
        self.lock = threading.Lock()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        path, wanted = unquote(request.path), request.headers.get("Range", "")
        with self.lock:
            self.requests.append((path, wanted))
            failures = self.failures.get(path, [])
            failure = failures.pop(0) if failures else ""
        body = self.files.get(path)
        start = int(wanted.removeprefix("bytes=").removesuffix("-") or 0)
        if failure == "refuse":
            request.connection.close()
            return
        if failure == "slow down" or body is None or start >= len(body):
            request.send_response(503 if failure else 404 if body is None else 416)
            request.send_header("Retry-After", "0")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if failure == "stall":
            time.sleep(1.0)
        request.send_response(206 if wanted else 200)
        request.send_header("Content-Length", str(len(body) - start))
        request.end_headers()
        body = body[start:]
        if failure == "corrupt":
            body = bytes(len(body))
        if failure == "truncate":
            body = body[: len(body) // 2]
        request.wfile.write(body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    instance = Server()
    yield instance
    instance.http.shutdown()
    instance.http.server_close()


@pytest.fixture
def archive(server: Server, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A zip in the released layout with drawn scenes, known to the table and to the server."""
    sample = open_data("refscenes-sample")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for path in sorted(sample.folder.iterdir()):
            file.write(path, f"refcoco/{path.name}")
        file.writestr("__MACOSX/refcoco/._instances.json", b"no annotation")
        file.writestr("refcoco/../../outside.txt", b"not unpacked")
    body = content.getvalue()
    server.files["/refcoco.zip"] = body
    for image in list_photographs(sample, sample.splits):
        name = f"/COCO_train2014_{image.image_id:012d}.jpg"
        server.files[name] = sample.image_path(image.image_id).read_bytes()
    released = ReleasedArchive(
        (f"{server.url}/gone.zip", f"{server.url}/refcoco.zip"),
        hashlib.sha256(body).hexdigest(),
        len(body),
    )
    monkeypatch.setitem(released_archives.ARCHIVES, "refcoco", released)
    return body


def test_a_set_arrives_although_the_server_misbehaves(
    server: Server, archive: bytes, tmp_path: Path
) -> None:
    names = sorted(name for name in server.files if name.endswith(".jpg"))
    failures = ["stall", "truncate", "corrupt", "refuse", "slow down"]
    server.failures = {name: [failure] for name, failure in zip(names, failures, strict=False)}
    server.failures["/refcoco.zip"] = ["truncate", "refuse"]
    url = server.url + "/{}"
    lines: list[str] = []
    data = download_set("refcoco", tmp_path, url=url, report=lines.append, **FAST)
    assert len(lines) == 1 and f"{len(names)} of {len(names)} photographs are missing" in lines[0]
    folder = tmp_path / "images/train2014"
    assert sorted(f"/{path.name}" for path in folder.iterdir()) == names
    for name in names:
        assert (folder / name.removeprefix("/")).read_bytes() == server.files[name]
    # the download went on where it was cut, and is removed once it is unpacked
    half = len(archive) // 2
    assert ("/refcoco.zip", f"bytes={half}-") in server.requests
    sample = open_data("refscenes-sample")
    annotations = {path.name for path in sample.folder.iterdir() if "(" in path.name}
    assert {p.name for p in (tmp_path / "refcoco").iterdir()} == annotations | {"instances.json"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images", "refcoco"]
    assert not (tmp_path.parent / "outside.txt").exists()
    opened = risbook.data.load("refcoco", split="val", root=tmp_path)
    assert opened.sentences == risbook.data.load("refscenes-sample", split="val").sentences
    assert (opened.image(0) == data.image(data.expressions.split("val")[0])).all()
    # the second time, nothing is asked for
    server.requests.clear()
    download_set("refcoco", tmp_path, url=url, report=lines.append, **FAST)
    assert server.requests == [] and len(lines) == 1


def test_evaluation_needs_fewer_photographs(server: Server, archive: bytes, tmp_path: Path) -> None:
    url = server.url + "/{}"
    data = download_set("refcoco", tmp_path, images="none", url=url, **FAST)
    folder = tmp_path / "images/train2014"
    assert list(folder.iterdir()) == []
    evaluated = list_photographs(data, [split for split in data.splits if split != "train"])
    download_set("refcoco", tmp_path, images="eval", url=url, report=str, **FAST)
    assert len(list(folder.iterdir())) == len(evaluated)
    assert len(evaluated) < len(list_photographs(data, data.splits))
    assert check_set("refcoco", tmp_path, images="eval").missing == []


def test_what_cannot_be_downloaded_is_told_and_the_rest_stays(
    server: Server, archive: bytes, tmp_path: Path
) -> None:
    url = server.url + "/{}"
    data = download_set("refcoco", tmp_path, images="none", url=url, **FAST)
    records = list_photographs(data, data.splits)
    name = f"/COCO_train2014_{records[2].image_id:012d}.jpg"
    kept = server.files.pop(name)
    folder = tmp_path / "images/train2014"
    with pytest.raises(RisbookError, match=f"1 of {len(records)} photographs could not be .*404"):
        download_photographs(records, folder, url=url, **FAST)
    assert len(list(folder.iterdir())) == len(records) - 1
    assert sum(path == name for path, _ in server.requests) == 1  # a 404 is not asked for again
    image = Image.open(io.BytesIO(kept))
    other = io.BytesIO()
    image.resize((image.width // 2, image.height)).save(other, "JPEG")
    server.files[name] = other.getvalue()
    with pytest.raises(RisbookError, match=r"pixels"):  # of another size than the annotations say
        download_photographs(records, folder, url=url, **FAST)
    server.files[name] = kept
    assert download_photographs(records, folder, url=url, **FAST) == 1


def test_the_check_decodes_every_photograph(
    server: Server,
    archive: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    download_set("refcoco", tmp_path, url=server.url + "/{}", report=str, **FAST)
    folder = tmp_path / "images/train2014"
    first, second = sorted(folder.iterdir())[:2]
    first.unlink()
    second.write_bytes(second.read_bytes()[:500])
    checked = check_set("refcoco", tmp_path)
    assert len(checked.missing) == 1 and checked.broken == [str(second)]
    assert main(["data", "check", "refcoco", "--to", str(tmp_path)]) == 2
    output = capsys.readouterr()
    assert f"1 missing, 1 broken\nbroken: {second}\n" in output.out
    assert f"`risbook data download refcoco --to {tmp_path}` brings what is missing" in output.err


def test_other_archives_are_refused(server: Server, archive: bytes, tmp_path: Path) -> None:
    server.files["/refcoco.zip"] = server.files["/gone.zip"] = archive[:-1] + b"x"
    with pytest.raises(RisbookError, match="not the released archive, or damaged: its sha256"):
        download_annotations("refcoco", tmp_path, retries=QUICK)
    assert list(tmp_path.iterdir()) == [tmp_path / "refcoco"]
    # a page in place of the file, at the first source; the second has the file
    server.files["/gone.zip"], server.files["/refcoco.zip"] = b"<html>", archive
    folder = download_annotations("refcoco", tmp_path / "second", retries=QUICK)
    assert (folder / "instances.json").is_file()


def test_a_zip_of_the_user_stays(archive: bytes, tmp_path: Path) -> None:
    beside = tmp_path / "refcoco.zip"
    beside.write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"refcoco\.zip: not the released archive"):
        download_annotations("refcoco", tmp_path)
    assert beside.read_bytes() == b"no zip"
    beside.write_bytes(archive)
    assert (download_annotations("refcoco", tmp_path) / "instances.json").is_file()
    assert beside.read_bytes() == archive
    own = tmp_path / "own.zip"
    own.write_bytes(b"no zip")
    with pytest.raises(DataError, match="not the released archive"):
        download_annotations("refcoco", tmp_path / "own", archive=own)
    assert own.exists()
    own.write_bytes(archive)
    folder = download_annotations("refcoco", tmp_path / "own", archive=own)
    assert (folder / "instances.json").is_file() and own.exists()
    with pytest.raises(ArgumentError, match="no set is called 'refcoco2'; there are: refcoco,"):
        download_annotations("refcoco2", tmp_path)


def test_without_a_source_the_message_says_what_to_do(
    server: Server, archive: bytes, tmp_path: Path
) -> None:
    server.files.clear()
    with pytest.raises(RisbookError) as caught:
        download_annotations("refcoco", tmp_path)
    assert "gone.zip: HTTP 404" in str(caught.value) and "refcoco.zip: HTTP 404" in str(
        caught.value
    )
    assert "or name a refcoco.zip of your own by --archive" in str(caught.value)
    with pytest.raises(DataError, match="holds no annotations of 'refcoco'"):
        check_set("refcoco", tmp_path)


def test_rows_of_the_hub_are_the_second_way(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = {"id": 3, "file_name": "COCO_train2014_000000000003.jpg", "height": 8, "width": 9}
    ring = [1.0, 1.0, 5.0, 1.0, 5.0, 5.0]
    annotation = {"id": 50, "image_id": 3, "category_id": 18, "segmentation": [ring]}
    annotation |= {"bbox": [1.0, 1.0, 4.0, 4.0], "iscrowd": 0}
    sentence = {"raw": "Dog!", "sent": "dog", "sent_id": 4, "tokens": ["dog"]}
    row = {"ref_id": 2, "ann_id": 50, "image_id": 3, "category_id": 18, "split": "validation"}
    row |= {"sent_ids": [4], "sentences": [sentence], "raw_anns": json.dumps(annotation)}
    row |= {"raw_image_info": json.dumps(image), "image_path": "coco/" + str(image["file_name"])}
    content = io.BytesIO()
    Image.new("RGB", (9, 8), "red").save(content, "JPEG")
    server.files[f"/{image['file_name']}"] = content.getvalue()

    def snapshot_download(repo: str, *, local_dir: Path, **options: object) -> None:
        assert (repo, options["repo_type"]) == ("jxu124/refcoco", "dataset")
        (local_dir / "data").mkdir(parents=True)
        parquet.write_table(pyarrow.Table.from_pylist([row]), local_dir / "data" / "all.parquet")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    url = server.url + "/{}"
    data = download_set("refcoco", tmp_path, source="hub", url=url, report=str, **FAST)
    assert data.name == f"hf:{tmp_path / 'refcoco-rows'}" and data.splits == ("val",)
    assert data.image(3).shape == (8, 9, 3)
    assert (check_set("refcoco", tmp_path).photographs, server.requests) == (
        1,
        [(f"/{image['file_name']}", "")],
    )
