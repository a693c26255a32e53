"""Several processes, jobs of a queue, sweeps and streams: on one machine, with the engines themselves."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import torch
import yaml
from conftest import ENVIRONMENT, run
from test_resume import differences, results_of, rows
from test_run import edit, only, record, train

DDP = ["trainer=ddp", "trainer.accelerator=cpu"]


def without_progress(*overrides: str) -> list[str]:
    return ["python", "train.py", *overrides, "callbacks.progress=null"]


def test_a_job_that_must_leave_goes_on(repo):
    """submitit's local executor: SIGTERM is passed over, SIGUSR2 queues the job again, in the same folder."""
    overrides = ["trainer.max_epochs=15", "logger=csv"]
    train(repo, *overrides, "seed=0")
    never_stopped = results_of(repo)
    command = without_progress("-m", "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=60", *overrides)
    queue = subprocess.Popen([*command, "seed=0"], cwd=repo, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    while not rows(9)(repo):
        assert queue.poll() is None, queue.stderr.read()
    children = run("ps", "-eo", "pid,args", cwd=repo).stdout.splitlines()
    (job,) = (int(line.split()[0]) for line in children if f"submitit.core._submit {repo}" in line)
    os.kill(job, signal.SIGTERM)
    os.kill(job, signal.SIGUSR2)
    assert queue.wait() == 0, queue.stderr.read()
    assert record(repo)["resumed"] is True and "Requeued job" in only(repo, "runs/*/train.log").read_text()
    assert not differences(never_stopped, results_of(repo))


@pytest.fixture
def slurm(tmp_path) -> dict[str, str]:
    """An environment in which ``tests/slurm.py`` stands in for SLURM."""
    for name in ("sbatch", "srun", "scontrol", "sacct", "job"):
        path = tmp_path / "slurm" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\nexec -a {name} true\n")
        path.unlink()
        path.symlink_to(Path(__file__).with_name("slurm.py"))
    return {"PATH": f"{tmp_path / 'slurm'}:{ENVIRONMENT['PATH']}", "SLURM_STAND_IN": str(tmp_path / "slurm")}


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
    assert [json.loads(path.read_text())["resumed"] for path in sorted(repo.glob("runs/*/record.json"))] == [True, False]
    assert not differences(never_stopped, results_of(repo))


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
    launch = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--nnodes=1", "--master_port=29611"]
    run("python", *launch, "train.py", *DDP, "experiment=smoke", "logger=wandb", cwd=repo)
    assert record(repo)["hardware"]["devices"] == 2 and len(list(repo.glob("results/*.json"))) == 1
    assert len(list(repo.glob("runs/*/wandb/offline-run-*"))) == 1
    assert "Equal to the record." in run("python", "evaluate.py", f"run={only(repo, 'runs/*')}", cwd=repo).stdout


def weights(repo: Path) -> dict[str, torch.Tensor]:
    return torch.load(only(repo, "runs/*/checkpoints/last.ckpt"), weights_only=True)["state_dict"]


def test_two_processes_learn_what_one_does(repo):
    """The same samples in each step, divided between them; and each test sample counts once, also where it is odd."""
    model, data = repo / "src/my_paper/model.py", repo / "src/my_paper/data.py"
    # statistics of a batch would be those of its half
    model.write_text(re.sub(r"nn.BatchNorm2d\((.*)\)", r"nn.GroupNorm(1, \1)", model.read_text()))
    edit(data, "test_size=360", "test_size=359")
    settings = ["trainer.precision=64-true", "+trainer.limit_train_batches=19", "trainer.max_epochs=2"]
    run(*without_progress(*settings, "data.batch_size=32", *DDP), cwd=repo)
    two, measured_by_two = weights(repo), record(repo)["metrics"]
    shutil.rmtree(repo / "runs")
    # the order in which Lightning has several processes take the samples, for one that takes them all
    edit(data, "import DataLoader,", "import DataLoader, DistributedSampler,")
    edit(data, "shuffle=shuffle,", "sampler=DistributedSampler(dataset, 1, 0) if shuffle else None,")
    run(*without_progress(*settings, "data.batch_size=64"), cwd=repo)
    one, measured = weights(repo), record(repo)["metrics"]
    assert all(torch.allclose(one[name], two[name], rtol=1e-9, atol=1e-12) for name in one)
    tested = {name: value for name, value in measured.items() if name.startswith(("test/", "val/"))}
    assert {name: measured_by_two[name] for name in tested} == pytest.approx(tested, rel=1e-9)


def test_seeds_side_by_side_share_the_threads(repo):
    done = train(
        repo, "-m", "hydra/launcher=joblib", "experiment=smoke", "seed=0,1", "threads=null", OMP_NUM_THREADS=""
    )
    assert "Joblib.Parallel(n_jobs=-1" in done.stdout
    apart = [json.loads(path.read_text()) for path in sorted(repo.glob("results/*.json"))]
    assert [result["seed"] for result in apart] == [0, 1]
    assert [result["hardware"]["threads"] for result in apart] == [1, 1]


def test_a_sweep_goes_on_and_ends_in_a_preset(repo):
    """By validation alone; a trial that fails is one that fails."""
    edit(repo / "configs/sweep/optuna.yaml", "interval(1e-4, 1e-1))", "interval(1e-3, 1e30))")
    sweep = ["-m", "experiment=smoke", "sweep=optuna", "hydra.sweeper.n_trials=3", "optimizer=choice(adam,sgd)"]
    settings = ["hydra.sweeper.sampler.seed=1", "monitor.metric=val/loss", "monitor.mode=min"]
    train(repo, *sweep, *settings)
    done = train(repo, *sweep, *settings)
    assert "the best of" in done.stdout and "not finite" in done.stdout + done.stderr
    assert not (repo / "results").exists()
    preset = repo / "configs/experiment/smoke_swept.yaml"
    kept = [json.loads(path.read_text()) for path in repo.glob("runs/smoke-sweep-*/record.json")]
    finished = [result for result in kept if result["status"] == "finished"]
    assert len(kept) == 6 and f"the best of {len(finished)} trials" in preset.read_text()
    assert not any(name.startswith("test/") for result in finished for name in result["metrics"])
    best = min(finished, key=lambda result: result["objective"])
    assert yaml.safe_load(preset.read_text())["optimizer"]["lr"] == pytest.approx(best["config"]["optimizer"]["lr"])
    assert preset.read_text().count("# assumed: swept, val/loss") == 2
    train(repo, "experiment=smoke_swept")
    result = record(repo, "results/smoke_swept-*.json")
    assert result["config"]["optimizer"] == best["config"]["optimizer"]


def test_a_sweep_by_test_data_is_refused(repo):
    for refused in ("monitor.metric=test/loss", "+hydra.sweeper.objective=test/loss", "monitor.metric=null"):
        done = train(repo, "-m", "sweep=optuna", refused, ok=False)
        assert done.returncode == 1 and not (repo / "runs").exists()
