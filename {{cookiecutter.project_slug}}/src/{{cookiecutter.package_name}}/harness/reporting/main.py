"""``python report.py``: the paper's numbers beside ours, computed from ``results/`` and never typed.

Writes the status into README.md, PAPER.md and the package's docstring, figures into docs/figures/, and REPORT.html.
"""

import argparse
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ..command import errors_for_people
from ..evidence.claims import read_evidence
from ..evidence.record import git_state
from ..evidence.tests import suite_file
from ..identity import UsageError
from .files import outdated, write
from .report import report
from .terminal import printed
from .weights import write_weights


def main(export: Callable[[dict, Path], None]) -> None:
    """Answer the command line; ``export`` writes the weights of a record to a path."""
    parser = argparse.ArgumentParser(description=__doc__.replace("``", ""))
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--check", action="store_true", help="write nothing; exit with 1 where something is out of date")
    only.add_argument("--missing", action="store_true", help="print only the commands of the runs that are missing")
    only.add_argument("--runs", action="store_true", help="print only the runs that count and lie in runs/")
    what = "write only the weights of the runs that count, or of RUN, with a model card, to weights/"
    only.add_argument("--weights", nargs="?", const="", metavar="RUN", help=what)
    asked = parser.parse_args()
    gc.disable()  # a second's work over many records, all of which stay
    try:
        with errors_for_people():
            print(_answer(asked, export), end="", flush=True)
    except BrokenPipeError:  # python report.py | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _answer(asked: argparse.Namespace, export: Callable) -> str:
    if asked.runs:
        return "".join(f"{run}\n" for run in read_evidence().counted_folders())
    if asked.missing:
        commands = read_evidence().commands(missing=True)
        if commands and git_state()["dirty"] is not False:
            raise UsageError(f"No run would count: {git_state()['failure'] or 'code or configs are not committed'}")
        return "".join(f"{command}\n" for command in commands)
    if asked.weights is not None:
        return "".join(f"{folder}\n" for folder in write_weights(read_evidence(), asked.weights, export))
    if asked.check:
        known = report(write=False)
        if lines := outdated(known):
            raise UsageError("\n".join([*lines, "python report.py brings it up to date."]))
        newer = " (pytest has run since: python report.py)" if known.suite.unknown and suite_file().exists() else ""
        return f"Up to date: {known.status}{newer}\n"
    known = report()
    changed = write(known)
    written = f"Written: {', '.join(changed)}" if changed else "Everything written is up to date."
    return f"{printed(known)}\n\n{written}\n"
