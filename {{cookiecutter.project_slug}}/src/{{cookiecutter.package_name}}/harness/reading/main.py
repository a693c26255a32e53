"""``python read.py``: what the paper states, with section, page and quote, proposed and never set.

Reads paper/*.tex or paper.tar.gz (LaTeX, preferred), paper.txt or paper.pdf. Writes READING.md, and proposals as
comments into configs/experiment/paper.yaml.
"""

import argparse
import sys

from ..command import errors_for_people
from ..evidence.paper import paper_text
from ..identity import CONFIGS, ROOT, UsageError
from . import latex, offer, plain, propose, sheet
from .document import Document, build
from .fetch import fetch
from .find import find

NOTHING = (
    "There is no paper to read. Put paper.pdf, paper.txt or LaTeX (paper/*.tex, or paper.tar.gz from arXiv) beside read.py,"
    " for example by python read.py --fetch 1706.03762."
)


def read() -> Document:
    """The paper, from the most exact source that the repository has.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    if files := latex.sources():
        name = "paper.tar.gz" if (ROOT / "paper.tar.gz").exists() and not (ROOT / "paper").exists() else "paper/"
        return build(name, latex.marked(files), pages=False)
    text, trouble = paper_text()
    if text is None:
        raise UsageError(trouble or NOTHING)
    name = "paper.txt" if (ROOT / "paper.txt").exists() else "paper.pdf"
    return build(name, plain.marked(text), pages=plain.PAGE in text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.replace("``", ""))
    parser.add_argument("--accept", nargs="+", metavar="KEY", help="set what the paper states: optimizer.lr")
    parser.add_argument("--fetch", nargs="?", const="", metavar="ID", help="get it from arXiv first: 1706.03762")
    asked = parser.parse_args()
    with errors_for_people():
        print(_answer(asked), file=sys.stdout)


def _answer(asked: argparse.Namespace) -> str:
    if asked.fetch is not None:
        print("Fetched:", ", ".join(fetch(asked.fetch)))
    document = read()
    found = find(document)
    offered = offer.proposals(found, CONFIGS)
    if asked.accept:
        return "\n".join(["Set:", *propose.accept(asked.accept, offered)])
    if sheet.SHEET.exists() and sheet.HEAD not in sheet.SHEET.read_text(encoding="utf-8"):
        raise UsageError("READING.md was not written by read.py. Give it another name, first.")
    sheet.SHEET.write_text(sheet.sheet(document, found, offered), encoding="utf-8")
    if sheet.NOTES.exists():
        sheet.NOTES.write_text(sheet.noted(document, sheet.NOTES.read_text(encoding="utf-8")), encoding="utf-8")
    propose.write(offered)
    settings = len({one.setting for one in found})
    return (
        f"Read {document.source}: {len(document.parts)} parts, {settings} settings stated, {len(offered)} proposed.\n"
        "See READING.md. Accept one by one: python read.py --accept "
        + next((key.lstrip("/") for key in offered), "optimizer.lr")
    )
