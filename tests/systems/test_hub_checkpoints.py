"""Checkpoints of the Hub, against a server on this machine that answers as the Hub does."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from risbook.errors import ArgumentError, DataError
from risbook.systems import FirstModel, build_system, load_system
from risbook.systems.hub_checkpoints import is_repository

SMALL = {"image_size": 32, "map_dims": (8, 8, 8, 8), "blocks": 1, "decoder_dim": 8}

SCRIPT = """
import hashlib, http.server, json, os, sys, threading
from pathlib import Path

folder, files, commit = Path(sys.argv[1]), {}, "a" * 40
requests = []

def tell(path):
    name = path.split("?")[0]
    if name == "/":
        return 200, b"hub", {}
    if name in ("/api/models/nobody/tiny", "/api/models/nobody/tiny/revision/main"):
        siblings = [{"rfilename": file} for file in files]
        return 200, {"id": "nobody/tiny", "sha": commit, "siblings": siblings}, {}
    if name == f"/api/models/nobody/tiny/revision/{commit}":
        return tell("/api/models/nobody/tiny")
    if name == f"/api/models/nobody/tiny/tree/{commit}":
        return 200, [
            {"type": "file", "path": file, "size": len(content), "oid": "0" * 40}
            for file, content in files.items()
        ], {}
    if name.startswith("/api/models/nobody/secret"):
        return 403, b"", {"X-Error-Code": "GatedRepo"}
    if name.startswith("/api/models/nobody/tiny/"):
        return 404, b"", {"X-Error-Code": "RevisionNotFound"}
    if name.startswith("/api/models/"):
        return 404, b"", {"X-Error-Code": "RepoNotFound"}
    file = name.removeprefix(f"/nobody/tiny/resolve/{commit}/")
    if file not in files:
        return 404, b"", {"X-Error-Code": "EntryNotFound"}
    etag = '"' + hashlib.sha256(files[file]).hexdigest() + '"'
    return 200, files[file], {"X-Repo-Commit": commit, "ETag": etag}

class Hub(http.server.BaseHTTPRequestHandler):
    def answer(self):
        requests.append(self.path)
        status, body, headers = tell(self.path)
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
    do_HEAD = do_GET = answer
    def log_message(self, *args): pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
os.environ["HF_HOME"] = str(folder / "home")
for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY"):
    os.environ.pop(name, None)
os.environ["no_proxy"] = "127.0.0.1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.chdir(folder)

import risbook
from risbook.errors import RisbookError
from risbook.systems import System

def attempt(*arguments, **options):
    try:
        return risbook.load(*arguments, **options)
    except RisbookError as error:
        print(f"{type(error).__name__}: {error}")

attempt("nobody/tiny")  # a repository without a checkpoint
for path in (folder / "checkpoint").iterdir():
    files[path.name] = path.read_bytes()
files["evil.pkl"] = b"not downloaded"
commit = "b" * 40
model = risbook.load("nobody/tiny")
print(type(model).__name__, sorted(path.name for path in
      (folder / "home" / "hub" / "models--nobody--tiny" / "snapshots" / commit).iterdir()))
again = System.from_pretrained("nobody/tiny", revision=commit)
print(all((a == b).all() for a, b in zip(model.parameters(), again.parameters())))
print(sum("resolve" in path and "model.safetensors" in path for path in requests) <= 2)
attempt("nobody/tiny", revision="v9")
attempt("nobody/nothing")
attempt("nobody/secret")
server.shutdown(); server.server_close()
print(type(attempt("nobody/tiny")).__name__)  # from the cache, when the Hub is gone
attempt("nobody/nothing")
"""


def test_a_hub_on_this_machine(tmp_path: Path) -> None:
    torch.manual_seed(0)
    system = build_system("first-model", sentences=["left dog"], overrides=SMALL)
    system.save_pretrained(tmp_path / "checkpoint")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    expected = [
        "DataError: nobody/tiny: the repository on the Hugging Face Hub has no config.json, so it "
        "is no checkpoint that risbook wrote",
        "FirstModel ['config.json', 'model.safetensors', 'tokenizer.json']",
        "True",
        "True",
        "DataError: nobody/tiny at v9: neither a folder here nor a repository on the Hugging Face "
        "Hub; if it is private, log in by `hf auth login`",
        "DataError: nobody/nothing: neither a folder here nor a repository on the Hugging Face "
        "Hub; if it is private, log in by `hf auth login`",
        "DataError: nobody/secret: the Hugging Face Hub shows it to permitted users only; ask for "
        "access on its page and log in by `hf auth login`",
        "FirstModel",
        "RisbookError: nobody/nothing: neither a folder here nor in the cache, and the Hugging "
        "Face Hub is not reachable; connect to the network once, then it stays in the cache",
    ]
    assert done.stdout.splitlines() == expected


def test_which_names_are_repositories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_repository("owner/name") and is_repository("Owner-1/name_2.0")
    for name in ("etris-mini", "a/b/c", "../name", "/owner/name", "owner/", "owner/na me"):
        assert not is_repository(name), name
    assert not is_repository(Path("owner/name"))
    (tmp_path / "runs").mkdir()
    assert not is_repository("runs/first")  # a path in a folder that exists
    with pytest.raises(DataError, match="no checkpoint here"):
        load_system("runs/first")


def test_only_the_hub_has_revisions() -> None:
    with pytest.raises(ArgumentError, match="only those have revisions; leave revision out"):
        FirstModel.from_pretrained("first-model", revision="main")
