"""Stopped at any moment and resumed, a run is bit for bit the one that was never stopped."""

import contextlib
import json
import os
import pickle
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import ENVIRONMENT, run, start
from test_run import begin_with, edit, only, record, train


def rows(count: int, of: str = "*-seed0") -> Callable[[Path], bool]:
    """Once so many rows have been logged."""
    return lambda repo: any(len(path.read_text().splitlines()) > count for path in repo.glob(f"runs/{of}/metrics.csv"))


def writing(repo: Path) -> bool:
    """While a checkpoint is being written."""
    return any(repo.glob("runs/*/checkpoints/*.part"))


def stop(
    repo: Path, sign: signal.Signals, moment: Callable[[Path], bool], *overrides: str, command: str = "train.py"
) -> int:
    """Send a signal at a moment; the exit code."""
    each = [] if any("last.interval" in override for override in overrides) else ["callbacks.last.interval=0"]
    process = start("python", command, *overrides, *each, cwd=repo)
    while process.poll() is None and not moment(repo):
        if moment is not writing:  # which is over in a millisecond
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.005)
    assert process.poll() is None, "it ended before it could be stopped"
    process.send_signal(sign)
    return process.wait()


def results_of(repo: Path) -> dict[str, dict]:
    """All that the runs have come to, by run; the files are taken away."""
    found = {}
    for path in sorted(repo.glob("runs/*-seed*")):
        facts = json.loads((path / "record.json").read_text())
        assert facts["status"] == "finished"
        found[path.name] = {
            "metrics.csv": (path / "metrics.csv").read_text(),
            "record.json": {key: facts[key] for key in ("metrics", "steps", "epochs")},
            **{file.name: torch.load(file, weights_only=True) for file in path.glob("checkpoints/*")},
        }
    shutil.rmtree(repo / "runs")
    shutil.rmtree(repo / "results")
    return found


def differences(one, other, place: str = "") -> list[str]:
    """Where two structures differ, in the last bit or more."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [f"{place}/{key}" for key in one.keys() ^ other.keys()]
        return keys + [
            d for key in one.keys() & other.keys() for d in differences(one[key], other[key], f"{place}/{key}")
        ]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return [d for k, pair in enumerate(zip(one, other, strict=True)) for d in differences(*pair, f"{place}/{k}")]
    if torch.is_tensor(one) and torch.is_tensor(other):
        same = one.dtype == other.dtype and torch.equal(one, other)
    else:
        same = one == other
    # ModelCheckpoint shows its last score, and does not read it back
    return [] if same or place.endswith("current_score") else [place]


KILL, TERM, CTRL_C = signal.SIGKILL, signal.SIGTERM, signal.SIGINT
EXIT = {KILL: -signal.SIGKILL, TERM: 143, CTRL_C: 130}
EMA = ["+callbacks.ema._target_=lightning.pytorch.callbacks.EMAWeightAveraging", "+callbacks.ema.decay=0.9"]
WITHIN_EPOCHS = [
    "trainer.max_epochs=-1",
    "trainer.max_steps=44",
    "trainer.val_check_interval=7",
    "trainer.accumulate_grad_batches=3",
    "trainer.precision=64-true",
    "scheduler=cosine",
    "data.num_workers=1",
    "callbacks.last.within_epoch=0",
]
CASES = {
    "epochs": (["trainer.max_epochs=15"], [(KILL, rows(9)), (KILL, writing), (CTRL_C, rows(30))]),
    "within epochs": ([*WITHIN_EPOCHS, *EMA], [(KILL, rows(7)), (TERM, rows(17)), (KILL, writing)]),
}


@pytest.mark.parametrize("case", [pytest.param("epochs", marks=pytest.mark.slow), "within epochs"])
def test_stopped_and_resumed_is_the_same(repo, case):
    """Weights, optimizer, schedule, average of weights, random state, position in the epoch, curves, results."""
    overrides, stops = CASES[case]
    train(repo, *overrides)
    never_stopped = results_of(repo)
    for sign, moment in stops:
        assert stop(repo, sign, moment, *overrides, "resume=auto") == EXIT[sign]
        assert not (repo / "results").exists()
    train(repo, *overrides, "resume=auto")
    assert record(repo)["resumed"] is True
    assert not differences(never_stopped, results_of(repo))


TASKS = {
    "contrastive": ["trainer.max_epochs=10", "trainer.val_check_interval=0.3", "model.width=4"],
    "generative": ["trainer.max_epochs=6", "logger=tensorboard"],
    "sequence": ["+trainer.limit_train_batches=200", "trainer.val_check_interval=30", "trainer.max_epochs=2"],
    "physics": ["trainer.max_steps=300"],
}


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_each_task_is_the_same(bake, task):
    repo, overrides = bake(task=task), TASKS[task]
    train(repo, *overrides)
    never_stopped = results_of(repo)
    for sign, moment in [(KILL, rows(3)), (KILL, writing), (TERM, rows(6))]:
        assert stop(repo, sign, moment, *overrides, "resume=auto") == EXIT[sign]
    train(repo, *overrides, "resume=auto")
    assert not differences(never_stopped, results_of(repo))


@pytest.mark.slow
def test_a_sweep_goes_on_where_it_was(repo):
    """What is finished is left alone, what is not goes on; W&B sees one run each."""
    sweep = ["-m", "seed=0,1", "trainer.max_epochs=6"]
    train(repo, *sweep)
    never_stopped, sweep = results_of(repo), [*sweep, "logger=wandb"]
    assert stop(repo, KILL, rows(8, "*-seed1"), *sweep, "resume=auto") == EXIT[KILL]
    (first,) = repo.glob("results/*.json")
    before = first.read_text(), first.stat().st_mtime_ns
    train(repo, *sweep, "resume=auto")
    assert (first.read_text(), first.stat().st_mtime_ns) == before
    sessions = [path.name.split("-", 3)[-1] for path in repo.glob("runs/*-seed1/wandb/offline-run-*")]
    assert len(sessions) == 2 and len(set(sessions)) == 1
    assert not differences(never_stopped, results_of(repo))


def test_the_last_checkpoint_waits_for_its_interval(repo):
    """A kill costs what was trained since; a stop and the end save whatever the time."""
    overrides = ["trainer.max_epochs=15", "callbacks.last.interval=3600"]
    assert stop(repo, KILL, rows(9), *overrides) == EXIT[KILL]
    assert not list(repo.glob("runs/*/checkpoints/last.ckpt"))
    assert stop(repo, TERM, rows(25), *overrides, "resume=auto") == EXIT[TERM]
    stopped = torch.load(only(repo, "runs/*/checkpoints/last.ckpt"), weights_only=True)["global_step"]
    train(repo, *overrides, "resume=auto")
    ended = torch.load(only(repo, "runs/*/checkpoints/last.ckpt"), weights_only=True)["global_step"]
    assert 0 < stopped < ended == 300


@pytest.mark.slow
def test_two_processes_go_on_as_one(repo):
    """Each process has its own random state."""
    command = ["python", "train.py", "trainer=ddp", "trainer.accelerator=cpu", "trainer.max_epochs=8"]
    run(*command, cwd=repo)  # with a network: that of the machine itself
    never_stopped = results_of(repo)
    assert stop(repo, TERM, rows(9), *command[2:], "resume=auto") == EXIT[TERM]
    run(*command, "resume=auto", cwd=repo)
    assert not differences(never_stopped, results_of(repo))


def test_resumed_with_other_code(repo):
    """Half of the training is of other code: the run goes on, its record does not pass for either, and a next one does."""
    assert stop(repo, CTRL_C, rows(9), "trainer.max_epochs=15") == EXIT[CTRL_C]
    assert record(repo)["status"] == "interrupted"
    edit(repo / "src/my_paper/model.py", "nn.ReLU()", "nn.GELU()")
    run("git", "commit", "--quiet", "--all", "--message", "Another activation", cwd=repo)
    train(repo, "trainer.max_epochs=15", "resume=auto")
    assert record(repo)["code"] == "mixed" and record(repo)["resumed"] is True
    train(repo, "trainer.max_epochs=15", "resume=auto")
    assert record(repo, "results/*-seed0-2.json")["code"] != "mixed"
    assert "finished already" in train(repo, "trainer.max_epochs=15", "resume=auto").stdout


def test_ctrl_c_twice_stops_at_once(repo):
    """Also in the midst of a batch; what was saved before is enough to go on."""
    edit(
        repo / "src/my_paper/procedure.py",
        "        images, labels = batch\n",
        "        while self.global_step == 30:\n            pass\n        images, labels = batch\n",
    )
    process = subprocess.Popen(
        ["python", "train.py", "callbacks.last.interval=0"],
        cwd=repo,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not rows(4)(repo):
        pass
    process.send_signal(CTRL_C)
    while "again to stop at once" not in process.stderr.readline():
        pass
    process.send_signal(CTRL_C)
    assert process.wait() == 130 and "resume=auto" in process.stderr.read()
    assert record(repo)["status"] == "interrupted"


GPU = pytest.param("gpu", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"))


@pytest.mark.parametrize("device", ["cpu", GPU])
def test_a_loss_that_is_not_finite_stops_the_training(repo, device):
    edit(
        repo / "src/my_paper/loss.py",
        'return {"loss": cross_entropy}',
        "aux = nn.Identity()(1 / (cross_entropy > 2.2))  # a module made on the way\n"
        '        return {"loss": cross_entropy + 0 * aux.sum(), "main": cross_entropy, "aux": aux}',
    )
    done = train(repo, f"trainer={device}", ok=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    message = done.stderr[done.stderr.index("The loss is not finite at step") :]
    assert "loss nan, main 2." in message and "aux inf" in message
    assert "The first module whose output is not finite: loss." in message
    assert not list(repo.glob("runs/*/checkpoints/*")), "the weights after it are nobody's"
    assert record(repo)["status"] == "crashed"


@pytest.mark.slow
def test_a_loss_that_is_not_finite_in_one_process_stops_all(repo):
    """None waits for the others, none goes on, and no checkpoint has what came of it."""
    edit(
        repo / "src/my_paper/procedure.py",
        "        return self.loss(logits, labels)",
        "        bad = self.global_rank == 1 and self.global_step == 12\n"
        "        return self.loss(logits * float('nan') if bad else logits, labels)",
    )
    command = ["python", "train.py", "trainer=ddp", "trainer.accelerator=cpu", "callbacks.last.interval=0"]
    done = run(*command, cwd=repo, ok=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    message = "The loss is not finite at step 12 (epoch 1, process 1): loss nan. Training has stopped before"
    assert done.stderr.count(message) == 2, "in both"
    assert record(repo)["status"] == "crashed" and message in record(repo)["error"]
    last = torch.load(only(repo, "runs/*/checkpoints/last.ckpt"), weights_only=True)
    assert last["global_step"] == 10
    assert all(value.isfinite().all() for value in last["state_dict"].values())


def test_a_full_disk_is_one_line(repo):
    """A limit on the size of a file stands in for it: the best checkpoint fits, the last one does not."""
    begin_with(repo, "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))")
    done = train(repo, "trainer.max_epochs=2", ok=False)
    assert done.returncode == 1 and "File too large" in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in repo.glob("runs/*/checkpoints/*")] == ["best.ckpt"]
    run("git", "checkout", "--quiet", "train.py", cwd=repo)
    train(repo, "trainer.max_epochs=2", "resume=auto")
    assert record(repo)["status"] == "finished"


def test_a_file_that_is_missing_is_no_matter_of_the_disk(repo):
    edit(
        repo / "src/my_paper/data.py",
        "        pixels, labels =",
        "        open('missing.npz')\n        pixels, labels =",
    )
    assert "FileNotFoundError" in train(repo, ok=False).stderr
    assert record(repo)["status"] == "crashed" and list(repo.glob("runs/*/traceback.txt"))


def test_a_folder_that_cannot_be_written_to_is_one_line(repo):
    (repo / "runs").write_text("in the way")
    done = train(repo, ok=False)
    assert done.returncode == 1 and "cannot be written to" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


class Code:
    """What runs when it is unpickled by a reader that allows it."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


READ = """
import sys
from pathlib import Path
from my_paper.harness.training.checkpoints import read_checkpoint
from my_paper.harness.identity import UsageError
for name in sys.argv[1:]:
    try:
        read_checkpoint(Path(name), {})
    except UsageError as error:
        print(error)
"""


def test_hostile_and_damaged_checkpoints_are_refused(repo, tmp_path):
    """Those of a stranger, of another configuration, cut off, or with a byte changed: one line, nothing overwritten."""
    train(repo, "trainer.max_epochs=1")
    train(repo, "trainer.max_epochs=1", "model.width=8")
    mine, other = sorted(
        repo.glob("runs/*-seed0"), key=lambda path: "width: 16" not in (path / "config.yaml").read_text()
    )
    good, victim = (mine / "checkpoints/last.ckpt").read_bytes(), tmp_path / "victim"
    files = {name: tmp_path / f"{name}.ckpt" for name in ("code", "pickle", "cut", "byte", "text", "foreign")}
    torch.save({"state_dict": {}, "hyper_parameters": Code(victim)}, files["code"])
    files["pickle"].write_bytes(pickle.dumps(Code(victim)))
    files["cut"].write_bytes(good[: len(good) // 2])
    files["byte"].write_bytes(good[:50_000] + bytes([good[50_000] ^ 1]) + good[50_001:])
    files["text"].write_text("not a checkpoint")
    files["foreign"].write_bytes((other / "checkpoints/last.ckpt").read_bytes())
    says = {
        "code": "could run code",
        "byte": "is damaged",
        "foreign": "model.width (8 there, 16 here)",
    }

    edit(mine / "record.json", '"finished"', '"interrupted"')
    shutil.rmtree(repo / "results")
    damaged, alike = "is damaged, or is not a checkpoint of this repository", ("pickle", "cut", "text")
    (repo / "read.py").write_text(READ)
    told = run("python", "read.py", *(files[name] for name in alike), cwd=repo).stdout.splitlines()
    assert len(told) == len(alike) and all(damaged in line for line in told), told
    for name in sorted(files.keys() - alike):
        file, refused = files[name], says.get(name, damaged)
        done = run("python", "evaluate.py", f"run={mine}", f"ckpt={file}", cwd=repo, ok=False)
        assert done.returncode == 1 and refused in done.stderr.splitlines()[-1], done.stderr
        if name == "foreign":
            continue
        shutil.copy(file, mine / "checkpoints/last.ckpt")
        before = {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()}
        done = train(repo, "trainer.max_epochs=1", "resume=auto", ok=False)
        assert done.returncode == 1 and refused in done.stderr.splitlines()[-1], done.stderr
        assert {path: path.read_bytes() for path in before} == before and not victim.exists()
