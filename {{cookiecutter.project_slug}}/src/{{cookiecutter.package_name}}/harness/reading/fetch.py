"""Fetch a paper's PDF and LaTeX from arXiv: ``python read.py --fetch 1706.03762``."""

import contextlib
import gzip
import io
import os
import re
import tarfile
import urllib.request

from ..identity import CONFIGS, ROOT, UsageError

ID = re.compile(r"(?:\d{4}\.\d{4,5}|[a-z][a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?")
SECONDS, BYTES = 30, 64 * 2**20  # of one answer


def fetch(asked: str) -> list[str]:
    """Write ``paper.pdf`` and the LaTeX beside it, or nothing if one is no paper; the names of what was written."""
    if not (found := ID.search(asked or (CONFIGS / "paper.yaml").read_text(encoding="utf-8"))):
        raise UsageError(f"{asked or 'configs/paper.yaml'} holds no arXiv id; one looks like 1706.03762.")
    if there := [name for name in ("paper.pdf", "paper.tar.gz", "paper") if (ROOT / name).exists()]:
        raise UsageError(f"{there[0]} is there already: nothing was fetched.")
    host = os.environ.get("PAPER_TEMPLATE_ARXIV_FILES_URL", "https://arxiv.org")
    pdf = _get(f"{host}/pdf/{found[0]}")
    if not pdf.startswith(b"%PDF-"):
        raise UsageError(f"{host}/pdf/{found[0]} is no PDF.")
    source, written = b"", {ROOT / "paper.pdf": pdf}
    with contextlib.suppress(UsageError):  # some papers have none
        source = _get(f"{host}/e-print/{found[0]}")
    if tarfile.is_tarfile(io.BytesIO(source)):
        written[ROOT / "paper.tar.gz"] = source
    elif source.startswith(b"\x1f\x8b"):  # one file alone is only compressed, and some sources are a PDF
        written[ROOT / "paper/main.tex"] = gzip.GzipFile(fileobj=io.BytesIO(source)).read(BYTES)
    for path, content in written.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return [path.relative_to(ROOT).as_posix() for path in written]


def _get(url: str) -> bytes:
    agent = {"User-Agent": "paper-template (https://github.com/org/paper-template)"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=agent), timeout=SECONDS) as answer:
            body = answer.read(BYTES + 1)
    except OSError as error:
        why = getattr(error, "reason", error)
        raise UsageError(f"{url} cannot be fetched: {why}. Put paper.pdf here yourself.") from None
    if len(body) > BYTES:
        raise UsageError(f"{url} is larger than {BYTES // 2**20} MiB.")
    return body
