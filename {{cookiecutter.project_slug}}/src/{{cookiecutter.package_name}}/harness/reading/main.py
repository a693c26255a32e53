"""``python read.py``: what the paper states, with section, page and quote, proposed and never set.

Reads paper/*.tex or paper.tar.gz (LaTeX), paper.txt or paper.pdf. Writes READING.md and comments into configs/.
"""

import argparse

from ..command import errors_for_people
from ..evidence.paper import paper_text
from ..identity import CONFIGS, ROOT, UsageError
from . import latex, offer, plain, propose
from .document import build
from .fetch import fetch
from .find import find
from .sheet import HEAD, NOTES, SHEET, noted, sheet

NOTHING = "There is no paper to read. Put paper.pdf, paper.txt or LaTeX (paper/*.tex, or paper.tar.gz from arXiv) here."


def main() -> None:
    """Read the most exact source that the repository has."""
    parser = argparse.ArgumentParser(description=__doc__.replace("``", ""))
    parser.add_argument("--accept", nargs="+", metavar="KEY", help="set what the paper states: optimizer.lr")
    parser.add_argument("--fetch", nargs="?", const="", metavar="ID", help="get it from arXiv first: 1706.03762")
    asked = parser.parse_args()
    with errors_for_people():
        if asked.fetch is not None:
            print("Fetched:", ", ".join(fetch(asked.fetch)))
        if files := latex.sources():
            document = build("paper/" if (ROOT / "paper").exists() else "paper.tar.gz", latex.marked(files))
        else:
            text, trouble = paper_text()
            if text is None:
                raise UsageError(trouble or NOTHING)
            document = build("paper.txt" if (ROOT / "paper.txt").exists() else "paper.pdf", plain.marked(text))
        found = find(document)
        offered = offer.proposed(listed := offer.stated(found, CONFIGS))
        if asked.accept:
            print("Set:", *propose.accept(asked.accept, listed), sep="\n")
            return
        if SHEET.exists() and HEAD not in SHEET.read_text(encoding="utf-8"):
            raise UsageError("READING.md was not written by read.py. Give it another name, first.")
        SHEET.write_text(sheet(document, found, offered), encoding="utf-8")
        if NOTES.exists():
            NOTES.write_text(noted(document, NOTES.read_text(encoding="utf-8")), encoding="utf-8")
        propose.write(offered)
        counts = f"{len(document.parts)} parts, {len(found)} statements, {len(offered)} settings proposed"
        print(f"Read {document.source}: {counts}. See READING.md.")
