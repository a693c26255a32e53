"""Several processes, jobs of a queue, sweeps and streams: on one machine, with the engines themselves."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import optuna
import pytest
import torch
import yaml
from conftest import ENVIRONMENT, run
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from test_resume import differences, results_of, rows, stop
from test_run import OFFLINE, edit, only, record, train

DDP = ["trainer=ddp", "trainer.accelerator=cpu"]


def without_progress(*overrides: str) -> list[str]:
    return ["python", "train.py", *overrides, "callbacks.progress=null"]


@pytest.mark.slow
def test_a_job_that_must_leave_goes_on(repo):
    """submitit's local executor: SIGTERM is passed over, SIGUSR2 queues the job again, in the same folder."""
    overrides = ["trainer.max_epochs=15", "logger=csv"]
    train(repo, *overrides, "seed=0")
    never_stopped = results_of(repo)
    command = without_progress("-m", "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=60", *overrides)
    queue = subprocess.Popen([*command, "seed=0"], cwd=repo, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    for sign, moment in ((signal.SIGTERM, rows(5)), (signal.SIGUSR2, rows(15))):
        while not moment(repo):
            assert queue.poll() is None, queue.stderr.read()
        children = run("ps", "-eo", "pid,args", cwd=repo).stdout.splitlines()
        (job,) = (int(line.split()[0]) for line in children if f"submitit.core._submit {repo}" in line)
        os.kill(job, sign)
    assert queue.wait() == 0, queue.stderr.read()
    assert record(repo)["resumed"] is True and "Requeued job" in only(repo, "runs/*/train.log").read_text()
    assert not differences(never_stopped, results_of(repo))


@pytest.fixture
def slurm(tmp_path) -> dict[str, str]:
    """An environment in which ``tests/slurm.py`` stands in for SLURM."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name in ("sbatch", "srun", "scontrol", "sacct"):
        (folder / name).write_text(f'#!/bin/sh\nexec python {Path(__file__).with_name("slurm.py")} {name} "$@"\n')
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{ENVIRONMENT['PATH']}", "SLURM_STAND_IN": str(folder)}


@pytest.mark.slow
def test_an_array_of_jobs_with_two_processes_each(repo, slurm):
    """One of them is told to leave: the first process queues it again, and both go on in the same folder."""
    overrides = [*DDP, "trainer.max_epochs=8", "logger=csv"]
    for seed in (0, 1):
        run(*without_progress(*overrides, f"seed={seed}"), cwd=repo)
    never_stopped = results_of(repo)
    command = without_progress("-m", "hydra/launcher=slurm", "hydra.launcher.gpus_per_node=1", *overrides, "seed=0,1")
    queue = subprocess.Popen(command, cwd=repo, env={**ENVIRONMENT, **slurm}, stderr=subprocess.PIPE, text=True)
    while not rows(5)(repo):
        assert queue.poll() is None, queue.stderr.read()
    state = Path(slurm["SLURM_STAND_IN"])
    for pid in (state / "tasks-7_0").read_text().split():
        os.kill(int(pid), signal.SIGUSR2)
    assert queue.wait() == 0, queue.stderr.read()
    asked = (state / "asked").read_text()
    for line in ("array=0-1%2", "time=240", "mem=16GB", "cpus-per-task=2", "gpus-per-node=1", "signal=USR2@120"):
        assert f"#SBATCH --{line}" in asked
    assert [json.loads(path.read_text())["resumed"] for path in sorted(repo.glob("runs/*/record.json"))] == [
        True,
        False,
    ]
    assert not differences(never_stopped, results_of(repo))


@pytest.mark.slow
def test_torchrun(repo):
    """Started from outside, one process much later than the other, they make one run with one record and one W&B run."""
    edit(repo / "train.py", 'if __name__ == "__main__":', 'if __name__ == "__main__":\n    late()')
    edit(
        repo / "train.py",
        "from omegaconf import DictConfig\n",
        """import os
import time
from pathlib import Path

from omegaconf import DictConfig
""",
    )
    edit(
        repo / "train.py",
        '@command("train")',
        """def late():
    while os.environ["RANK"] == "1" and not list(Path("runs").glob("*/record.json")):
        time.sleep(0.01)


@command("train")""",
    )
    edit(
        repo / "src/my_paper/procedure.py",
        "        images, labels = batch\n",
        """        images, labels = batch
        with open(f"drawn-{self.global_rank}", "a") as file:
            file.write(f"{torch.rand(())}\\n")
""",
    )
    edit(repo / "src/my_paper/procedure.py", "from torch import Tensor\n", "import torch\nfrom torch import Tensor\n")
    launch = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--nnodes=1", "--master_port=29611"]
    run("python", *launch, "train.py", *DDP, "experiment=smoke", "logger=wandb", cwd=repo)
    assert record(repo)["hardware"]["devices"] == 2 and len(list(repo.glob("results/*.json"))) == 1
    assert len(list(repo.glob("runs/*/wandb/offline-run-*"))) == 1
    drawn = [(repo / f"drawn-{rank}").read_text().split()[:10] for rank in (0, 1)]
    assert len(drawn[1]) == 10 and not set(drawn[0]) & set(drawn[1]), "noise is each process's own"
    assert "Equal to the record." in run("python", "evaluate.py", f"run={only(repo, 'runs/*')}", cwd=repo).stdout


def weights(repo: Path) -> dict[str, torch.Tensor]:
    return torch.load(only(repo, "runs/*/checkpoints/last.ckpt"), weights_only=True)["state_dict"]


def test_two_processes_learn_what_one_does(repo):
    """The same samples in each step, divided between them; and each test sample counts once, also where it is odd.

    They leave one folder and one record, and evaluation on one process agrees.
    """
    edit(
        repo / "src/my_paper/procedure.py",
        "        return self.loss(logits, labels)",
        "        if not self.training:\n"
        "            self.log('own', labels.float().mean())\n"
        "        return self.loss(logits, labels)",
    )
    model, data = repo / "src/my_paper/model.py", repo / "src/my_paper/data.py"
    # without what a process has of its own: random numbers, and statistics of its part of the batch
    model.write_text(re.sub(r"nn.BatchNorm2d\((.*)\)", r"nn.GroupNorm(1, \1)", model.read_text()))
    edit(data, "test_size=360", "test_size=359")
    settings = [
        "model.dropout=0",
        "trainer.precision=64-true",
        "+trainer.limit_train_batches=19",
        "trainer.max_epochs=2",
    ]
    done = run(*without_progress(*settings, "data.batch_size=32", *DDP), cwd=repo)
    assert re.findall(r"self.log\('(.*)', ..., sync_dist=True\)", done.stderr) == ["own"], "ours is synchronised"
    two, measured_by_two = weights(repo), record(repo)["metrics"]
    assert record(repo)["hardware"]["devices"] == 2 and len(list(repo.glob("results/*.json"))) == 1
    with only(repo, "runs/*/metrics.csv").open() as file:
        (tested,) = [row for row in csv.DictReader(file) if row["test/accuracy"]]
    assert (tested["step"], tested["epoch"]) == ("38", "2"), "W&B drops what is logged at an earlier step"
    assert "Equal to the record." in run("python", "evaluate.py", f"run={only(repo, 'runs/*')}", cwd=repo).stdout
    shutil.rmtree(repo / "runs")
    # the order in which Lightning has several processes take the samples, for one that takes them all
    edit(data, "import DataLoader,", "import DataLoader, DistributedSampler,")
    edit(data, "shuffle=shuffle,", "sampler=DistributedSampler(dataset, 1, 0) if shuffle else None,")
    run(*without_progress(*settings, "data.batch_size=64"), cwd=repo)
    one, measured = weights(repo), record(repo)["metrics"]
    assert all(torch.allclose(one[name], two[name], rtol=1e-9, atol=1e-12) for name in one)
    tested = {name: value for name, value in measured.items() if name.startswith(("test/", "val/"))}
    assert {name: measured_by_two[name] for name in tested} == pytest.approx(tested, rel=1e-6)


@pytest.mark.slow
def test_seeds_side_by_side_share_the_threads(repo):
    done = train(
        repo, "-m", "hydra/launcher=joblib", "experiment=smoke", "seed=0,1", "threads=null", OMP_NUM_THREADS=""
    )
    assert "Joblib.Parallel(n_jobs=-1" in done.stdout
    apart = [json.loads(path.read_text()) for path in sorted(repo.glob("results/*.json"))]
    assert [result["seed"] for result in apart] == [0, 1]
    assert [result["hardware"]["threads"] for result in apart] == [1, 1]


RANGE = "FloatDistribution\n      low: 1e-4\n      high: 1e-1\n      log: true"  # of the learning rate, in configs/tune.yaml


def tune(repo: Path, *overrides: str, ok: bool = True) -> subprocess.CompletedProcess:
    return run(*OFFLINE, "python", "tune.py", *overrides, cwd=repo, ok=ok)


def trials(repo: Path) -> list[optuna.trial.FrozenTrial]:
    """All trials of the one study that there is."""
    journal = JournalFileBackend(str(only(repo, "runs/*.journal")))
    return optuna.load_study(study_name=None, storage=JournalStorage(journal)).trials


def test_a_study_goes_on_after_a_kill_and_is_shared(repo):
    search = ["trainer.max_epochs=3", "tune.n_trials=3", "callbacks.progress=null"]
    assert stop(repo, signal.SIGKILL, rows(5), *search, command="tune.py") == -signal.SIGKILL
    assert [trial.state for trial in trials(repo)] == [TrialState.RUNNING]
    both = [
        subprocess.Popen(["python", "tune.py", *search], cwd=repo, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    dead, *others = trials(repo)
    assert dead.state == TrialState.RUNNING and all(trial.state == TrialState.COMPLETE for trial in others)
    begun = sorted(re.findall(r"^Trial (\d):", "".join(told), re.MULTILINE))
    assert begun == ["1", "2", "3", "4"][: len(others)] and len(others) >= 3, "each ends the trial that it has begun"
    kept = [json.loads(path.read_text()) for path in repo.glob("runs/paper-tune-*/record.json")]
    assert not any(name.startswith("test/") for result in kept for name in result["metrics"])
    assert not (repo / "results").exists()
    for path in repo.glob("runs/*/train.log"):  # has nothing of the trials that followed in its process
        assert set(re.findall(r"Run (\S+)", path.read_text())) == {path.parent.name}
    assert any("on validation, the best of " in text for text in told)


def test_the_best_trial_becomes_a_preset(repo):
    """A trial whose loss is not finite fails alone; one that Optuna's pruner finds worse ends with that validation."""
    edit(repo / "configs/tune.yaml", RANGE, "CategoricalDistribution\n      choices: [1e-8, 1e-2, 1e30]")
    edit(repo / "configs/tune.yaml", "MedianPruner\n      n_startup_trials: 5", "ThresholdPruner\n      lower: 0.5")
    group = "+tune.space={optimizer: {_target_: optuna.distributions.CategoricalDistribution, choices: [adam, sgd]}}"
    steps = ["trainer.max_epochs=2", "trainer.max_steps=40"]
    done = tune(repo, "experiment=smoke", *steps, "tune.n_trials=6", "+tune.study.sampler.seed=1", group)
    ends = {(trial.params["optimizer.lr"], trial.state, trial.last_step) for trial in trials(repo)}
    assert ends - {(1e-2, TrialState.COMPLETE, None)} == {  # the same again is not trained again
        (1e-8, TrialState.PRUNED, 0),
        (1e-2, TrialState.COMPLETE, 1),
        (1e30, TrialState.FAIL, None),
    }
    assert "failed: The loss is not finite" in done.stdout and "Trial was pruned at epoch 0." in done.stdout
    ended = [json.loads(path.read_text()) for path in repo.glob("runs/smoke-tune-*/record.json")]
    assert {result["status"] for result in ended} == {"finished", "pruned", "crashed"}
    best = max((trial for trial in trials(repo) if trial.state == TrialState.COMPLETE), key=lambda trial: trial.value)
    preset = (repo / "configs/experiment/smoke_swept.yaml").read_text()
    assert preset.count(f"# assumed: swept, val/accuracy {best.value:.4g} on validation, the best of ") == 2
    chosen = yaml.safe_load(run("python", "train.py", "experiment=smoke_swept", "--cfg", "job", cwd=repo).stdout)
    assert chosen["optimizer"]["_target_"].lower() == f"torch.optim.{best.params['optimizer']}"
    assert chosen["optimizer"]["lr"] == best.params["optimizer.lr"]


def test_a_study_without_a_completed_trial_says_so(repo):
    done = tune(repo, "tune.n_trials=0", ok=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert re.match(r"No trial of paper-tune-\w+-seed0 was completed", done.stderr.splitlines()[-1])
    assert not (repo / "configs/experiment/paper_swept.yaml").exists()


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        ("monitor.metric=test/loss", "test data never chooses"),
        ("+objective=test/loss", "test data never chooses"),
        ("monitor.metric=null", "Set monitor.metric to"),
        ("trainer.devices=2", "Set trainer.devices=1"),
        ("trainer.devices=auto", "give a number"),
    ],
)
def test_a_search_is_refused(repo, refused, says):
    done = tune(repo, refused, ok=False)
    assert done.returncode == 1 and says in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (repo / "runs").exists()


WITHOUT = """
import runpy, sys
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

Plugins.instance()  # found and imported; then forgotten
for group in ("launcher", "sweeper"):
    known = ConfigStore.instance().repo["hydra"][group]
    for name in list(known):
        if name.startswith(("submitit", "joblib")):
            del known[name]
sys.modules["optuna"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    ("asked", "extra"),
    [
        ("train.py -m hydra/launcher=slurm", "slurm"),
        ("train.py -m hydra/launcher=joblib", "joblib"),
        ("tune.py experiment=smoke", "sweep"),
    ],
)
def test_what_is_not_installed_is_named(repo, asked, extra):
    (repo / "without.py").write_text(WITHOUT)
    done = run("python", "without.py", *asked.split(), cwd=repo, ok=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].endswith(f'It is an extra: pip install -e ".[{extra}]" -c constraints.txt')
    assert f"\n{extra} = [" in (repo / "pyproject.toml").read_text()


STREAM = """
    def train_dataloader(self) -> DataLoader:
        shards = [str(path) for path in sorted(Path("shards").iterdir())]
        trainer = self.trainer
        where = (trainer.current_epoch, trainer.global_rank, trainer.world_size) if trainer else (0, 0, 1)
        return DataLoader(Stream(shards, 0, *where), self.batch_size, num_workers=self.num_workers)
"""


@pytest.fixture
def stream(repo) -> Path:
    """The training set in eight shards, read by the code of SCALING.md; each sample shows its number in a pixel."""
    (code,) = re.findall(r"```python\n(class Stream.*?)```", (repo / "SCALING.md").read_text(), re.DOTALL)
    data = repo / "src/my_paper/data.py"
    imports = "from pathlib import Path\n\nimport numpy as np\nfrom torch.utils.data import IterableDataset, get_worker_info\n"
    text = data.read_text()
    before, after = text.split("    def train_dataloader", 1)
    after = after[after.index("    def val_dataloader") :]
    data.write_text(imports + before.replace("class InMemory", f"{code}\n\nclass InMemory") + STREAM + "\n" + after)
    edit(
        repo / "src/my_paper/procedure.py",
        "        images, labels = batch\n",
        """        images, labels = batch
        if self.training:
            with open(f"seen-{self.global_rank}", "a") as file:
                file.writelines(f"{self.current_epoch} {number:.0f}\\n" for number in images[:, 0, 0, 0].tolist())
""",
    )
    (repo / "shards").mkdir()
    images = torch.rand(192, 1, 8, 8)
    images[:, 0, 0, 0] = torch.arange(192)
    for number in range(8):
        samples = [(images[k].clone(), torch.tensor(k % 10)) for k in range(24 * number, 24 * number + 24)]
        torch.save(samples, repo / f"shards/{number}.pt")
    return repo


STREAMED = [*DDP, "data.batch_size=8", "data.num_workers=2", "+trainer.reload_dataloaders_every_n_epochs=1"]


@pytest.mark.slow
def test_a_stream_gives_each_sample_once(stream):
    """Over two processes with two workers each, in another order each epoch."""
    run(*without_progress(*STREAMED, "trainer.max_steps=24", "trainer.max_epochs=-1"), cwd=stream)
    seen = [line.split() for rank in (0, 1) for line in (stream / f"seen-{rank}").read_text().splitlines()]
    epochs = [[int(number) for epoch, number in seen if epoch == str(wanted)] for wanted in range(2)]
    assert len(seen) == 2 * 192 and all(sorted(numbers) == list(range(192)) for numbers in epochs)
    assert epochs[0] != epochs[1]


@pytest.mark.slow
def test_a_stream_goes_on_within_an_epoch(stream):
    overrides = [*STREAMED, "trainer.max_steps=60", "trainer.max_epochs=-1", "trainer.log_every_n_steps=2"]
    run(*without_progress(*overrides), cwd=stream)
    never_stopped = results_of(stream)
    assert stop(stream, signal.SIGTERM, rows(10), *overrides, "resume=auto") == 143
    run(*without_progress(*overrides, "resume=auto"), cwd=stream)
    assert record(stream)["resumed"] is True
    assert not differences(never_stopped, results_of(stream))
