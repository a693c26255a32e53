"""The recipe of SCALING.md for data with an address, against a server of this machine."""

import hashlib
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import run

LOAD = """
import sys
import pooch
from my_paper.harness.identity import ROOT, UsageError

class Data:
    url, sha256 = sys.argv[1:]
{recipe}
try:
    Data().prepare_data()
except UsageError as error:
    sys.exit(str(error))
"""


@pytest.fixture
def server(tmp_path):
    (tmp_path / "served").mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


def test_data_with_an_address(repo: Path, server, tmp_path):
    """Downloaded once; a changed file and a missing network are told in one line."""
    (tmp_path / "served/dataset.npz").write_bytes(b"data")
    (recipe,) = re.findall(r"```python\n(def prepare_data.*?)```", (repo / "SCALING.md").read_text(), re.DOTALL)
    code = LOAD.format(recipe=re.sub("^", "    ", recipe, flags=re.MULTILINE))
    address = f"http://127.0.0.1:{server.server_address[1]}/dataset.npz"

    def load(url: str = address, content: bytes = b"data", ok: bool = True):
        return run("python", "-c", code, url, hashlib.sha256(content).hexdigest(), cwd=repo, ok=ok)

    load()
    assert (repo / "data/dataset.npz").read_bytes() == b"data"
    assert not run("git", "status", "--short", cwd=repo).stdout, "data is no part of the repository"
    gone = address.replace("dataset", "gone")
    load(url=gone)  # it is there, and nobody is asked
    assert "known hash" in load(content=b"other", ok=False).stderr, "the file is another one"
    (repo / "data/dataset.npz").unlink(missing_ok=True)
    told = load(url=gone, ok=False).stderr
    assert told.splitlines()[-1].startswith(gone) and "404" in told and "Traceback" not in told
