"""Fetch a paper's PDF and LaTeX from arXiv: ``python read.py --fetch 1706.03762``."""

import gzip
import io
import os
import re
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from ..identity import CONFIGS, ROOT, UsageError

ID = re.compile(r"(?:\d{4}\.\d{4,5}|[a-z][a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?")
SECONDS, BYTES = 30, 64 * 2**20  # of one answer


def fetch(asked: str) -> list[str]:
    """Write ``paper.pdf`` and the LaTeX beside it; the names of what was written.

    Raises:
        UsageError: no id, no answer, or something that is no paper. Nothing is written then.
    """
    named = asked or (CONFIGS / "paper.yaml").read_text(encoding="utf-8")
    found = ID.search(named if not asked else named.removesuffix(".pdf"))
    if not found:
        where = f"{asked} is not an arXiv id" if asked else "configs/paper.yaml names no arXiv id"
        raise UsageError(f"{where}; one looks like 1706.03762 or hep-th/9901001.")
    if there := [name for name in ("paper.pdf", "paper.tar.gz", "paper") if (ROOT / name).exists()]:
        raise UsageError(f"{there[0]} is there already: nothing was fetched.")
    host = os.environ.get("PAPER_TEMPLATE_ARXIV_FILES_URL", "https://arxiv.org")
    pdf = _get(f"{host}/pdf/{found[0]}")
    if not pdf.startswith(b"%PDF-"):
        raise UsageError(f"{urlsplit(host).netloc} gave an answer for {found[0]} that is no PDF.")
    source = _get(f"{host}/e-print/{found[0]}", missing=b"")
    written = {ROOT / "paper.pdf": pdf}
    if source[:2] == b"\x1f\x8b":  # most sources are an archive, one file alone is only compressed, some are a PDF
        with gzip.open(io.BytesIO(source)) as file:
            begin = file.read(BYTES)
        alone = begin[257:262] != b"ustar"
        written[ROOT / ("paper/main.tex" if alone else "paper.tar.gz")] = begin if alone else source
    for path, content in written.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return [path.relative_to(ROOT).as_posix() for path in written]


def _get(url: str, missing: bytes | None = None) -> bytes:
    """The body of the answer; ``missing`` where the server has none."""
    host, agent = urlsplit(url).netloc, {"User-Agent": "paper-template (https://github.com/org/paper-template)"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=agent), timeout=SECONDS) as answer:
            body = answer.read(BYTES + 1)
    except urllib.error.HTTPError as error:
        if missing is not None:
            return missing
        why = f"knows no paper {url.rpartition('/')[2]}" if error.code == 404 else f"answered with status {error.code}"
    except OSError as error:
        why = f"cannot be reached ({getattr(error, 'reason', error)}). Put paper.pdf here yourself"
    else:
        if len(body) <= BYTES:
            return body
        why = f"gave an answer of more than {BYTES // 2**20} MiB"
    raise UsageError(f"{host} {why}.")
