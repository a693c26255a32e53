"""Run Python's commands in forks of a process that has imported PyTorch, Lightning and the rest once.

These imports take longer than what most tests do with them. A fork has them, and nothing of what other forks did: their
modules, configuration, random numbers. It is given its own folder, environment, arguments and output, and ends as an
interpreter does. What only a process of its own shows (signals, several processes, what is imported when, an
environment that is read at the start) is run as one; see ``run`` in ``conftest.py``.
"""

import atexit
import gc
import importlib
import importlib.util
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path

# Not cookiecutter itself, which looks for its home when it is imported
LIGHT = "arrow binaryornot.check click hydra jinja2 multiprocessing omegaconf requests rich slugify yaml".split()
HEAVY = """
    hydra lightning matplotlib.backends.backend_agg matplotlib.backends.backend_svg matplotlib.image
    matplotlib.pyplot multiprocessing omegaconf optuna pytest scipy.optimize sklearn.datasets sklearn.linear_model
    sklearn.model_selection sklearn.neighbors torch torch.distributed torch.quasirandom torch.utils.tensorboard
    torchmetrics.classification
""".split()


class Warm:
    """A process that runs commands of Python in forks of itself, one after another.

    Args:
        modules: what it imports before the first.
        environment: the variables that are there at its imports; each command has its own.
        prefix: a command that runs the process, as ``unshare``.
    """

    def __init__(self, modules: list[str], environment: dict[str, str], *prefix: str):
        self._process = subprocess.Popen(
            [*prefix, sys.executable, __file__, *modules],
            env={**environment, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lock = threading.Lock()
        atexit.register(self.close)

    def __call__(self, command: tuple[str, ...], cwd: Path, environment: dict[str, str]) -> subprocess.CompletedProcess:
        """``python <script> …``, ``python -c <code> …``, or the name of a script that an installed package brings."""
        with tempfile.TemporaryDirectory() as folder:
            streams = [str(Path(folder, name)) for name in ("stdout", "stderr")]
            code = self.start(command, cwd, environment, *streams).wait()
            return subprocess.CompletedProcess(command, code, *(Path(name).read_text() for name in streams))

    def start(
        self, command: tuple[str, ...], cwd: Path, environment: dict[str, str], stdout=os.devnull, stderr=os.devnull
    ) -> "Fork":
        """The same, without waiting for its end."""
        streams = [os.devnull, stdout, stderr]
        return Fork(self, self.ask(command=command, cwd=str(cwd), environment=environment, streams=streams))

    def ask(self, **request):
        with self._lock:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Fork:
    """A command that runs: what ``subprocess.Popen`` has for it."""

    def __init__(self, warm: Warm, pid: int):
        self.pid, self.returncode, self._warm = pid, None, warm

    def poll(self, block: bool = False) -> int | None:
        if self.returncode is None:
            self.returncode = self._warm.ask(pid=self.pid, block=block)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if timeout and self.poll() is None:
            time.sleep(timeout)
            if self.poll() is None:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self.poll(block=True)

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


def next_command() -> list[str]:
    """Answer requests with the process id of a fork, or its exit code; returns in the forks, with what they are to run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who asks ends, and so do we
    while line := sys.stdin.readline():
        request = json.loads(line)
        if "pid" in request:
            ended, status = os.waitpid(request["pid"], 0 if request["block"] else os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        elif (answer := os.fork()) == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.chdir(request["cwd"])
            os.environ.clear()
            os.environ.update(request["environment"])
            for number, name in enumerate(request["streams"]):
                stream = os.open(name, os.O_RDWR | os.O_CREAT)
                os.dup2(stream, number)
                os.close(stream)
            return request["command"]
        print(json.dumps(answer), flush=True)
    os._exit(0)


def run(command: list[str]) -> None:
    """Run it and end as an interpreter does, except for taking apart the modules, which takes a second."""
    code = 0
    try:
        execute(*command)
    except SystemExit as stop:
        code = 1 if stop.code else 0
        if isinstance(stop.code, int):
            code = stop.code
        elif stop.code:
            print(stop.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(code)


def execute(name: str, *arguments: str) -> None:
    """As ``name arguments…`` in a shell."""
    sys.path[:0] = [str(Path(entry).resolve()) for entry in os.environ.get("PYTHONPATH", "").split(":") if entry]
    if name == "python" and arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        sys.path.insert(0, "")
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
        return
    script, *sys.argv[1:] = arguments if name == "python" else [shutil.which(name), *arguments]
    sys.argv[0] = script
    sys.path.insert(0, str(Path(script).resolve().parent))
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file, which has a conftest.py too
    for module in sys.argv[1:]:
        if importlib.util.find_spec(module.partition(".")[0]):
            importlib.import_module(module)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)  # a fork has one thread alone
    sys.dont_write_bytecode = True  # a test may edit a file twice in the second by which bytecode knows its age
    gc.freeze()  # what is here stays: no collection looks through it
    gc.set_threshold(100_000, 50, 100)  # and what a test makes is small
    for part in weakref.finalize._registry:  # nor does a fork take it apart at its end, which takes as long as the fork
        part.atexit = False
    run(next_command())
