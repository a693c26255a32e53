"""Run pytest in one repository after another, each time in a fork of a process that has imported PyTorch once.

The imports of pytest, PyTorch, Lightning and the like take longer than most tests that catch a planted bug. A fork has
them, and nothing that a repository before it imported: its modules, its configuration, its random numbers.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

IMPORTED = """
    hydra lightning matplotlib.backends.backend_agg matplotlib.image omegaconf pytest scipy.optimize
    sklearn.datasets sklearn.linear_model sklearn.model_selection sklearn.neighbors torch torch.distributed
    torch.quasirandom torchmetrics.classification
""".split()


class Pytest:
    """A process that runs pytest on demand, with one thread and without plugins.

    Args:
        environment: its environment variables, and those of the tests.
    """

    def __init__(self, environment: dict[str, str]):
        alone = {"OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env={**environment, **alone},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, repo: Path, *arguments: str, seconds: int = 600) -> dict:
        """``pytest`` with these arguments in the folder ``repo``.

        Returns:
            By test, as it is called on the command line: ``passed``, a list; ``failed`` and ``errors`` (of collection),
            each with the first line of what it said; ``ended``, what ended pytest if it did not end by itself.
        """
        request = {"repo": str(repo), "arguments": arguments, "seconds": seconds}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Outcomes:
    """A plugin of pytest that remembers how each test ended."""

    def __init__(self):
        self.found = {"passed": [], "failed": {}, "errors": {}, "ended": None}

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


def _run(request: dict, answer: int) -> None:
    """In the fork: pytest, whose outcomes are written to the pipe ``answer``."""
    import pytest

    signal.alarm(request["seconds"])  # ends it
    with open(os.devnull, "r+b") as nowhere:
        for stream in (0, 1, 2):
            os.dup2(nowhere.fileno(), stream)
    repo = Path(request["repo"])
    os.chdir(repo)
    sys.path.insert(0, str(repo / "src"))
    outcomes = Outcomes()
    settings = ["-p", "no:cacheprovider", f"--basetemp={repo}.tests"]
    pytest.main([*settings, *request["arguments"]], plugins=[outcomes])
    with open(answer, "w") as pipe:
        json.dump(outcomes.found, pipe)


def main() -> None:
    for name in IMPORTED:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    import torch

    torch.set_num_threads(1)  # a fork has one thread alone
    del sys.path[0]  # the folder of this file, which has a conftest.py too
    gc.freeze()  # pytest collects garbage as it ends: a second, in the modules that are here already
    for line in iter(sys.stdin.readline, ""):
        answer, question = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(answer)
                _run(json.loads(line), question)
            finally:
                os._exit(0)
        os.close(question)
        with open(answer) as pipe:
            said = pipe.read()
        _, status = os.waitpid(pid, 0)
        ended = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "an error outside of the tests"
        print(said or json.dumps(Outcomes().found | {"ended": ended}), flush=True)


if __name__ == "__main__":
    main()
