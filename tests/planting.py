"""Run pytest and say how each test ended: ``python planting.py <tests and options>``, in the folder of a repository.

Prints, by test, as it is called on the command line: ``passed``, a list; ``failed`` and ``errors`` (of collection), each
with the first line of what it said.
"""

import json
import os
import signal
import sys

import pytest

SECONDS = 600  # then it is ended


class Outcomes:
    """A plugin of pytest that remembers how each test ended."""

    def __init__(self):
        self.found = {"passed": [], "failed": {}, "errors": {}}

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed:
            self.found["failed"].setdefault(report.nodeid, _first_line(report))
        elif report.when == "call" and report.passed:
            self.found["passed"].append(report.nodeid)

    def pytest_collectreport(self, report) -> None:
        if report.failed:
            self.found["errors"][report.nodeid] = _first_line(report)


def _first_line(report) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash else report.longreprtext).strip().splitlines() or [""]
    return lines[0] if crash else lines[-1]


def main() -> None:
    signal.alarm(SECONDS)
    del sys.path[0]  # the folder of this file, which has a conftest.py too
    answer = os.fdopen(os.dup(1), "w")
    with open(os.devnull, "w") as nowhere:
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)
    outcomes = Outcomes()
    settings = ["-p", "no:cacheprovider", f"--basetemp={os.getcwd()}.tests"]
    pytest.main([*settings, *sys.argv[1:]], plugins=[outcomes])
    json.dump(outcomes.found, answer)
    answer.close()


if __name__ == "__main__":
    main()
