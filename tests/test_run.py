"""A baked repository in use: train, stop, resume, evaluate, report, fail; all without a network."""

import csv
import json
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
import torch
from conftest import ENVIRONMENT, OFFLINE, run
from wandb.proto import wandb_internal_pb2


def train(repo: Path, *overrides: str, ok: bool = True, **environment: str) -> subprocess.CompletedProcess:
    return run(*OFFLINE, "python", "train.py", *overrides, cwd=repo, ok=ok, **environment)


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def record(repo: Path, pattern: str = "runs/*/record.json") -> dict:
    return json.loads(only(repo, pattern).read_text())


def test_train_evaluate_report(repo):
    """The main job on the untouched bake: 97 % on digits, the same numbers again, and a table."""
    done = train(repo, "experiment=paper")
    result = record(repo, "results/paper-*-seed0.json")
    assert result["metrics"]["test/accuracy"] >= 0.97
    assert result["status"] == "finished" and result["git"] == {"commit": result["git"]["commit"], "dirty": False}
    assert {"digest", "seed", "config", "versions", "hardware", "wall_time_s"} <= result.keys()
    assert result["hardware"]["peak_memory_mib"] > 0
    assert result["tested"]["checkpoint"] == "best" and result["tested"]["step"] == 20 * (result["tested"]["epoch"] + 1)
    assert result["curves"]["val/loss"]["steps"] == list(range(20, 401, 20))  # 20 epochs of 20 steps
    assert result["claims"]["test/accuracy"] == dict(
        value=None,
        upper=None,
        claim="equal",
        aggregate="mean",
        scale=100,
        mode="max",
        tolerance=None,
        seeds=None,
        stated_by="paper",
    )
    network, *modules = result["architecture"]
    assert (network["in"], network["out"]) == ([64, 1, 8, 8], [64, 10])
    assert network["parameters"] == 10026 and modules[-1]["type"] == "Linear"
    assert modules[-1]["flops"] == 2 * 64 * 512 * 10
    assert f"test/accuracy {result['metrics']['test/accuracy']:.4g}" in done.stdout

    folder = repo / result["run"]
    assert {"config.yaml", "metrics.csv", "record.json", "train.log"} <= {path.name for path in folder.iterdir()}
    again = run(*OFFLINE, "python", "evaluate.py", f"run={result['run']}", cwd=repo)
    assert "Equal to the record." in again.stdout
    assert not (repo / "evaluate.log").exists()
    last = run(*OFFLINE, "python", "evaluate.py", f"run={folder.name}", "ckpt=last", cwd=repo)
    assert "no test of last" in last.stdout

    report = run("python", "report.py", cwd=repo).stdout
    ours = f"{100 * result['metrics']['test/accuracy']:.4g} % (n = 1)"
    assert ours in report and "docs/figures/results.svg" in report
    drawn = only(repo, "docs/figures/curves-*.svg").read_text()
    assert "<!-- accuracy -->" in drawn and "<!-- learning rate -->" not in drawn, "a constant rate needs no panel"
    assert ours in (repo / "README.md").read_text()
    # what the report writes is no change of the code: the next seed still counts
    assert train(repo, "experiment=smoke").returncode == 0
    assert record(repo, "results/smoke-*.json")["git"]["dirty"] is False


def test_the_architecture_has_shapes_with_learned_queries(repo):
    """Queries of a batch are a view of a parameter, which torch's counter of operations does not expect."""
    with (repo / "src/my_paper/model.py").open("a") as model:
        model.write(
            """

import torch


class Queried(PaperModel):
    def __init__(self, **given):
        super().__init__(**given)
        self.query, self.block = nn.Parameter(torch.zeros(1, 1, 8, 8)), nn.Conv2d(1, 1, 1)
        self.unused, self.same = nn.Linear(1, 1), self.block

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images + self.block(self.query.expand(len(images), -1, -1, -1)))
"""
        )
    train(repo, "model._target_=my_paper.model.Queried", "trainer.max_steps=20")
    modules = {module["name"]: module for module in record(repo)["architecture"]}
    assert modules["model"]["in"] == modules["model.block"]["in"] == [64, 1, 8, 8] and modules["model"]["flops"]
    assert modules["model.same"] == modules["model.block"] | {"name": "model.same"}, (
        "a shared module stands at each place"
    )
    assert modules["model.unused"]["in"] == modules["model.unused"]["out"] == "?"


def test_evaluate_takes_any_path(repo, tmp_path):
    """Hydra's grammar gives a meaning to most of these characters."""
    folder = tmp_path / "a=b, [c] {d} 'e' \"f\" (g) %h #i:j"
    repo = shutil.move(repo, folder)
    train(repo, "experiment=smoke")
    run_folder = only(repo, "runs/*")
    weights = f"ckpt={run_folder / 'checkpoints/last.ckpt'}"
    for path in (run_folder, run_folder.relative_to(repo)):
        assert "test/accuracy" in run("python", "evaluate.py", f"run={path}", weights, cwd=repo).stdout


def test_evaluate_notices_another_checkpoint(repo):
    """One that was changed, and that of a seed that looks better."""
    train(repo, "-m", "experiment=smoke", "seed=0,2")
    folder, other = sorted(repo.glob("runs/smoke-*"))
    best = folder / "checkpoints/best.ckpt"
    for content in (best.read_bytes() + b" ", (other / "checkpoints/best.ckpt").read_bytes()):
        best.write_bytes(content)
        done = run("python", "evaluate.py", f"run={folder}", cwd=repo, ok=False)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "is not the checkpoint in the record of" in done.stderr or "is damaged" in done.stderr


STAND_IN = """#!/bin/sh
echo "python $*" >> called
case "$*" in
    "report.py --missing") echo python train.py experiment=paper seed=1 ;;
    "report.py --runs") echo runs/one runs/two ;;
    "evaluate.py run=runs/one") exit 1 ;;
esac
"""


def test_reproduce_goes_on_to_the_report_and_fails_then(repo, tmp_path):
    """Where a run does not give its record again; but not after a failed test. The commands are real in the next test."""
    for name, text in {"pip": "#!/bin/sh\n", "pytest": "#!/bin/sh\n", "python": STAND_IN}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    command = {"cwd": repo, "ok": False, "PATH": f"{tmp_path}:{ENVIRONMENT['PATH']}", "VIRTUAL_ENV": "here"}
    assert run("./reproduce.sh", **command).returncode == 1
    assert (repo / "called").read_text().splitlines() == [
        "python report.py --missing",
        "python train.py experiment=paper seed=1",
        "python report.py --runs",
        "python evaluate.py run=runs/one",
        "python evaluate.py run=runs/two",
        "python report.py",
    ]
    (repo / "called").unlink()
    (tmp_path / "pytest").write_text("#!/bin/sh\nexit 1\n")
    assert run("./reproduce.sh", **command).returncode == 1
    assert not (repo / "called").exists(), "it must not go on after a failed test"


@pytest.mark.slow
def test_reproduce(repo):
    """One command, with nothing installed but what the repository asks for; what is finished is not trained again."""
    edit(repo / "configs/experiment/paper.yaml", "max_epochs: 20", "max_epochs: 2")
    edit(repo / "configs/paper.yaml", "learns_within_steps: 60", "learns_within_steps: null")
    edit(repo / "configs/paper.yaml", "seeds: [0, 1, 2]", "seeds: [0]")
    run("git", "commit", "--quiet", "--all", "--message", "Cut to seconds", cwd=repo)
    command = {"cwd": repo, "PYTHONPATH": "", "VIRTUAL_ENV": "", "CONDA_PREFIX": "", "PIP_NO_COMPILE": "1"}
    told = run("./reproduce.sh", **command).stdout
    assert told.count("Equal to the record.") == 1 and "(n = 1)" in told
    assert "$ python train.py experiment=paper seed=0 resume=auto" in told
    run(*OFFLINE, repo / ".venv/bin/python", "train.py", "experiment=smoke", cwd=repo, PYTHONPATH="")


def test_evaluate_notices_other_numbers(repo):
    """In the last digit on a CPU, beyond 0.1 % where a GPU was used."""
    train(repo, "experiment=smoke")
    path, evaluate = only(repo, "runs/*/record.json"), ["python", "evaluate.py", f"run={only(repo, 'runs/*')}"]
    result = json.loads(path.read_text())
    result["metrics"]["test/loss"] *= 1 + 1e-6
    path.write_text(json.dumps(result))
    assert "Not equal to the record. " in run(*evaluate, cwd=repo, ok=False).stderr
    result["hardware"]["gpu"] = "NVIDIA H100"
    path.write_text(json.dumps(result))
    assert "Equal to the record within 0.1 %, " in run(*evaluate, cwd=repo).stdout
    edit(repo / "src/my_paper/data.py", "torch.tensor((x - mean) / std", "torch.tensor((x - 2 * mean) / std")
    done = run(*evaluate, cwd=repo, ok=False)
    assert done.returncode == 1 and "Not equal to the record within 0.1 %, " in done.stderr


def offline_entries(path: Path) -> list[wandb_internal_pb2.Record]:
    """What W&B keeps of an offline run: a log in LevelDB's format, blocks of 32 KiB with chunks of entries."""
    data, found, entry, position = path.read_bytes(), [], b"", 7
    while position + 7 <= len(data):
        if 32768 - position % 32768 < 7:  # no room for another header
            position += 32768 - position % 32768
        _, length, kind = struct.unpack_from("<IHB", data, position)
        entry += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # a whole entry, or its last chunk
            found.append(wandb_internal_pb2.Record.FromString(entry))
            entry = b""
    return found


def test_the_record_and_the_run_in_wandb_name_each_other(repo):
    edit(repo / "configs/paper.yaml", "value: null ", "value: 12.5 ")
    edit(repo / "configs/paper.yaml", "claim: equal", "claim: at least")
    edit(repo / "configs/paper.yaml", "experiment: paper #", "experiment: smoke #")
    train(repo, "experiment=smoke", "logger=wandb")
    result = record(repo, "results/smoke-*.json")
    config, summary = {}, {}
    for entry in offline_entries(only(repo, "runs/*/wandb/offline-run-*/*.wandb")):
        for update in [*entry.run.config.update, *entry.config.update]:
            config[update.key or "/".join(update.nested_key)] = json.loads(update.value_json)
        for update in entry.summary.update:
            summary[update.key or "/".join(update.nested_key)] = json.loads(update.value_json)
    assert config["record"] == f"{Path(result['run']).name}.json" and config["paper/test/accuracy"] == 0.125
    assert (summary["paper/test/accuracy"], summary["verdict"]) == (0.125, "test/accuracy reproduced (n = 1)")
    assert result["wandb"] == {"run": f"my-paper/{result['id']}", "url": None}


def test_last_is_the_last(repo):
    """Also when nothing has become better since: Lightning's ``save_last`` would keep an earlier state."""
    train(
        repo,
        "debug=overfit",
        "ckpt=last",
        "monitor.mode=min",
        "trainer.max_epochs=60",
        "trainer.check_val_every_n_epoch=25",
    )
    steps = [
        torch.load(only(repo, f"runs/*/checkpoints/{name}.ckpt"), weights_only=True)["global_step"]
        for name in ("last", "best")
    ]
    assert steps[0] == record(repo)["steps"] == 60 and steps[1] < 60


def test_a_pilot_is_listed_and_never_tested(repo):
    with (repo / "src/my_paper/model.py").open("a") as file:
        file.write("# a change that is not committed\n")
    told = train(repo, "debug=pilot", "trainer.max_steps=20", "optimizer.lr=0.05").stdout
    assert "not count" not in told and re.search(r"the best val/accuracy 0\.\d+ at step 20\n", told)
    assert record(repo)["status"] == "finished" and not any(
        name.startswith("test/") for name in record(repo)["metrics"]
    )
    told = run("python", "report.py", cwd=repo).stdout
    assert re.search(
        r"runs/paper-pilot-\w+-seed0 \(a pilot, val/accuracy 0\.\d+: optimizer.lr \(0.05 in it, 0.001 in paper", told
    )


def begin_with(repo: Path, statement: str) -> None:
    """Let ``train.py`` begin with this, after its docstring."""
    path = repo / "train.py"
    docstring, end, code = path.read_text().partition('"""\n\n')
    path.write_text(f"{docstring}{end}{statement}\n{code}")


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_a_paper_without_a_test_set(repo):
    """Then the last checkpoint is measured on validation; the best one would be chosen by what it is measured on."""
    edit(repo / "src/my_paper/data.py", "def test_dataloader", "def unused")
    done = train(repo, "experiment=smoke", ok=False)
    assert done.returncode == 1 and "Set ckpt=last." in done.stderr and len(done.stderr.strip().splitlines()) == 1
    done = train(repo, "experiment=smoke", "ckpt=last")
    result = record(repo, "results/smoke-*.json")
    assert "val/accuracy" in done.stdout and "val/accuracy" in result["metrics"]
    assert "Equal to the record." in run("python", "evaluate.py", f"run={result['run']}", cwd=repo).stdout


def test_a_paper_without_validation(repo):
    edit(repo / "src/my_paper/data.py", "def val_dataloader", "def unused")
    done = train(repo, "experiment=smoke", ok=False)
    assert "Set monitor.metric=null ckpt=last." in done.stderr and len(done.stderr.strip().splitlines()) == 1
    train(repo, "experiment=smoke", "ckpt=last", "monitor.metric=null")
    assert [path.name for path in repo.glob("runs/*/checkpoints/*")] == ["last.ckpt"]
    edit(repo / "configs/paper.yaml", "val: 180, ", "")
    assert (
        "passed" in run("pytest", "-q", "tests/checks/test_data.py", "tests/checks/test_training.py", cwd=repo).stdout
    )
    pilot = ["experiment=smoke", "debug=pilot", "monitor.metric=null", "trainer.max_steps=20"]
    assert re.search(r"\ntrain/accuracy 0.\d+ · train/loss \d", train(repo, *pilot).stdout)


def test_a_budget_in_steps(bake):
    """Validation counts steps as well, over the borders of epochs."""
    repo = bake(max_epochs="50 steps @ Section 1", warmup_steps="10")
    train(repo, "trainer.val_check_interval=15")
    result = record(repo)
    assert result["steps"] == 50
    with only(repo, "runs/*/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows if row["val/loss"]] == [14, 29, 44]
    trained = [(int(row["step"]), int(row["epoch"])) for row in rows if row["train/loss"]]
    assert trained == [(19, 0), (39, 1), (49, 2)], "the last steps too, where they are fewer"
    assert result["curves"]["train/loss"]["steps"] == [20, 40, 50]
    # killed after its last checkpoint, before it was tested
    edit(only(repo, "runs/*/record.json"), '"finished"', '"interrupted"')
    shutil.rmtree(repo / "results")
    train(repo, "trainer.val_check_interval=15", "resume=auto")
    again = record(repo)
    assert again["resumed"] and all(again[key] == result[key] for key in ("metrics", "curves", "steps", "epochs"))
    assert "passed" in run("pytest", "-q", "tests/checks/test_configs.py", "-k", "not option", cwd=repo).stdout


def test_a_run_again_loses_nothing(repo):
    train(repo, "experiment=smoke")
    first = only(repo, "results/smoke-*.json")
    before = first.read_text()
    train(repo, "experiment=smoke")
    assert first.read_text() == before and len(list(repo.glob("results/smoke-*-seed0*.json"))) == 2


def test_a_seed_whose_run_no_longer_counts_is_trained_again(repo):
    """With resume=auto, as report.py tells to: after other code, and after code that was not committed."""
    command = ("experiment=smoke", "resume=auto")
    train(repo, *command)
    edit(repo / "src/my_paper/model.py", "nn.ReLU()", "nn.GELU()")
    train(repo, *command)
    assert "is finished already" in train(repo, *command).stdout, "as long as it is not committed"
    run("git", "commit", "--quiet", "--all", "--message", "Another activation", cwd=repo)
    train(repo, *command)
    assert "is finished already" in train(repo, *command).stdout
    known = [json.loads(path.read_text()) for path in repo.glob("results/smoke-*.json")]
    known.sort(key=lambda record: record["started"])
    assert [r["git"]["dirty"] for r in known] == [False, True, False] and known[0]["code"] != known[2]["code"]


def test_accumulated_batches_are_averaged(repo):
    """The logged loss is the mean over what was accumulated, not its last batch."""
    log = (
        "trainer.accumulate_grad_batches=4",
        "trainer.log_every_n_steps=2",
        "trainer.max_steps=2",
        "trainer.max_epochs=1",
    )
    edit(
        repo / "src/my_paper/procedure.py",
        "        return self.loss(logits, labels)",
        "        terms = self.loss(logits, labels)\n        print('loss', float(terms['loss']), self.training)\n        return terms",
    )
    printed = train(repo, "ckpt=last", "monitor.metric=null", *log).stdout
    losses = [float(text.split()[1]) for text in re.findall(r"loss \S+ True", printed)][:8]
    with only(repo, "runs/*/metrics.csv").open() as file:
        logged = [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert len(losses) == 8 and logged == [pytest.approx(sum(losses) / 8, rel=1e-4)]


def test_schedules_end_where_they_say(repo):
    """Counted in steps or in epochs, with a budget in either, and whatever the frequency; refused where none is known."""
    script = """
import sys
from conftest import fit
import hydra
from torch.utils.data import DataLoader, IterableDataset
from my_paper.harness.identity import ROOT
from my_paper.harness.training.build import build_data
with hydra.initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
    for overrides in (["scheduler.interval=step"], ["scheduler.interval=epoch"], ["scheduler.frequency=4"]):
        for budget in ({"max_steps": 60, "max_epochs": -1}, {"max_steps": -1, "max_epochs": 3}):
            cfg = hydra.compose("train", ["scheduler=linear", "name=test", "run.dir=.", *overrides])
            trainer = fit(cfg, 60, limit_train_batches=20, **budget)
            (group,) = trainer.optimizers[0].param_groups
            (schedule,) = trainer.lr_scheduler_configs
            print(group["lr"] / cfg.optimizer.lr, schedule.scheduler.lr_lambdas[0](1))

class Stream(IterableDataset):  # of a length that it does not know
    def __iter__(self):
        yield from data.train

for settings in ({"max_steps": 60, "max_epochs": -1}, {"max_steps": -1, "max_epochs": 3}):
    data = build_data(cfg)
    data.train_dataloader = lambda: DataLoader(Stream(), 64)
    cfg.scheduler.interval = "epoch" if settings["max_steps"] > 0 else "step"
    try:
        fit(cfg, 60, data=data, **settings)
    except ValueError as error:
        print(error, file=sys.stderr)
"""
    (repo / "schedules.py").write_text(script)
    done = run("python", "schedules.py", cwd=repo, PYTHONPATH="src:tests")
    shares = [[float(text) for text in line.split()] for line in done.stdout.splitlines()]
    assert len(shares) == 6 and all(0 <= last < 0.08 and second > 0.6 for last, second in shares), shares
    assert done.stderr.count("but the length of the training is unknown, because train_dataloader has no length") == 2


def test_crash_leaves_its_traceback(repo):
    done = train(repo, "model.num_classes=3", ok=False)
    assert done.returncode == 1 and "out of bounds" in done.stderr
    assert record(repo)["status"] == "crashed" and "out of bounds" in record(repo)["error"]
    assert "out of bounds" in only(repo, "runs/*/traceback.txt").read_text()
    assert not (repo / "results").exists()


def test_uncommitted_code_does_not_count(repo):
    with (repo / "src/my_paper/model.py").open("a") as file:
        file.write("# a change\n")
    shown = train(repo, "experiment=paper", "trainer.max_epochs=1").stdout
    assert record(repo)["git"]["dirty"] is True
    before_training = shown.split("Run paper-")[0]
    assert "This run will not count: code or configs not committed" in before_training


@pytest.mark.parametrize("preset", ["fast", "limit", "overfit", "profile"])
def test_debug_presets(repo, preset):
    done = train(repo, f"debug={preset}")
    assert ("The loss of the one batch fell to nearly nothing: from 2." in done.stdout) == (preset == "overfit")
    assert "You requested to overfit" not in done.stderr and "\n\n" not in done.stdout
    assert record(repo)["status"] == "finished" and not (repo / "results").exists()
    assert record(repo)["curves"]["train/loss"]["values"]
    assert preset != "profile" or list(repo.glob("runs/*/fit-profile.txt"))


@pytest.mark.parametrize(
    "overrides",
    [
        ["trainer.precision=bf16-mixed"],
        [
            "trainer.accumulate_grad_batches=2",
            "trainer.gradient_clip_val=1.0",
            "scheduler=cosine",
            "scheduler.warmup_steps=5",
        ],
        ["callbacks=early_stopping", "logger=tensorboard", "scheduler=plateau"],
    ],
    ids=lambda overrides: " ".join(overrides),
)
def test_settings_of_the_harness(repo, overrides):
    train(repo, "experiment=smoke", *overrides)
    assert record(repo)["status"] == "finished"


def test_fused_is_the_same_algorithm(repo):
    """The same digest, and the same numbers to rounding; the weights are not: Adam makes a step even of noise."""
    for fused in ("true", "false"):
        train(repo, "experiment=smoke", f"optimizer.fused={fused}", "logger.csv=null")
    first, second = sorted(repo.glob("runs/*"))
    assert second.name == f"{first.name}-2"
    fused, plain = (torch.load(run / "checkpoints/last.ckpt", weights_only=True) for run in (first, second))
    assert [run["optimizer_states"][0]["param_groups"][0]["fused"] for run in (fused, plain)] == [True, False]
    ended = [json.loads((run / "record.json").read_text())["metrics"] for run in (first, second)]
    assert ended[0] == pytest.approx(ended[1], rel=1e-3)


def test_a_bar_for_people_alone(repo):
    """In a terminal; in a file, no bar at all."""
    assert "%|" not in train(repo, "experiment=smoke").stdout
    terminal = "stty rows 24 columns 120; python train.py experiment=smoke"
    shown = run("script", "--quiet", "--return", "--command", terminal, "/dev/null", cwd=repo)
    assert "Epoch 0: 100%|" in shown.stdout and "train/loss=" in shown.stdout


@pytest.mark.parametrize("stands_still", [False, True])
def test_a_line_now_and_then_where_there_is_no_terminal(repo, stands_still):
    """Also in train.log, with what all seeds will take; a loss that does not move is said, one that moves is not."""
    if stands_still:
        edit(repo / "src/my_paper/procedure.py", "logits = self.model(images)", "logits = 0 * self.model(images)")
    train(repo, "trainer.max_epochs=4", "callbacks.lines.seconds=0")
    text = only(repo, "runs/*/train.log").read_text()
    parts = r"0:00:\d\d · step 25 of 80 · \S+ steps/s · 0:0\S* left · 3 seeds take 0:0\S* in all · train/loss \d"
    assert re.search(parts, text)
    assert text.endswith("which stands still\n") == stands_still


def test_a_claimed_metric_that_is_not_logged_is_named_at_once(repo):
    edit(repo / "configs/paper.yaml", "test/accuracy", "test/f1")
    train(repo, "trainer.max_epochs=2")
    text = only(repo, "runs/*/train.log").read_text()
    assert text.count("claims test/f1, but validation logs only accuracy") == 1


def test_a_monitored_metric_that_is_not_logged_is_one_line(repo):
    told = train(repo, "monitor.metric=val/f1", ok=False).stderr
    assert (
        "monitor.metric: validation does not log val/f1, but accuracy, loss. Where" in told and "Traceback" not in told
    )


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="which cores may be used cannot be set")
def test_idle_cores_are_named_once(repo):
    """Not those that the process may not use, as in a container or under SLURM."""
    given, short = os.sched_getaffinity(0), ["trainer.max_epochs=4", "callbacks.threads.seconds=0"]
    train(repo, *short)
    assert only(repo, "runs/*/train.log").read_text().count("Try threads=") == (len(given) > 1)
    begin_with(repo, f"import os; os.sched_setaffinity(0, [{min(given)}])")
    train(repo, *short, "seed=1")
    assert "Try threads=" not in only(repo, "runs/*-seed1/train.log").read_text()


def test_what_is_not_a_number_is_not_left_out_of_a_mean(repo):
    """As torchmetrics does by default, with a warning."""
    procedure = repo / "src/my_paper/procedure.py"
    edit(procedure, "        logits =", '        self.mean.update(float("nan"))\n        logits =')
    edit(procedure, "    def step(", "    mean = MeanMetric()\n\n    def step(")
    edit(procedure, "import MetricCollection", "import MeanMetric, MetricCollection")
    assert "`nan` values in tensor" in train(repo, ok=False).stderr


def test_a_step_may_return_no_terms(repo):
    with (repo / "src/my_paper/procedure.py").open("a") as procedure:
        procedure.write(
            """

class Silent(PaperProcedure):
    def step(self, batch, metrics):
        return {} if super().step(batch, metrics) else None

    def training_step(self, batch, batch_idx):
        return super().step(batch, self.train_metrics)["loss"]
"""
        )
    train(repo, "procedure._target_=my_paper.procedure.Silent", "monitor.metric=val/accuracy", "trainer.max_epochs=1")
    assert record(repo)["metrics"].keys() == {"train/accuracy", "val/accuracy", "test/accuracy"}
    edit(repo / "configs/train.yaml", "procedure.PaperProcedure", "procedure.Silent")
    edit(repo / "configs/paper.yaml", "initial_loss: 2.303", "initial_loss: null")
    run("pytest", "-q", "tests/checks/test_loss.py", cwd=repo)


def test_torch_is_imported_without_the_garbage_collector(repo):
    program = """
import gc
from my_paper.harness.command import heavy_imports
with heavy_imports():
    before = gc.get_stats()[2]["collections"]
    import lightning
    assert gc.get_stats()[2]["collections"] == before
assert gc.isenabled() and (frozen := gc.get_freeze_count()) > 100_000
left_behind = [[]]
left_behind[0].append(left_behind)
with heavy_imports():  # of the next job of -m
    import lightning
assert gc.isenabled() and gc.get_freeze_count() == frozen, "what a job leaves behind must be collected"
"""
    run("python", "-c", program, cwd=repo)


def test_several_seeds_in_one_command(repo):
    train(repo, "-m", "experiment=smoke", "seed=0,1")
    results = sorted(repo.glob("results/smoke-*.json"))
    assert [json.loads(path.read_text())["seed"] for path in results] == [0, 1]
    metrics = [json.loads(path.read_text())["metrics"]["train/loss"] for path in results]
    assert metrics[0] != metrics[1]


WITHOUT_TORCH = """
import runpy, sys
command, sys.argv = sys.argv[1], sys.argv[1:]
try:
    runpy.run_path(command, run_name="__main__")
finally:
    print("imported:", [name for name in ("torch", "lightning", "torchmetrics", "matplotlib") if name in sys.modules])
"""


@pytest.mark.parametrize(
    "command",
    [
        "train.py --help",
        "train.py --cfg job",
        "train.py optimizer.rl=1",
        "evaluate.py --help",
        "tune.py --help",
        "report.py",
        "report.py --help",
    ],
)
def test_answers_without_torch(repo, command):
    done = run("python", "-c", WITHOUT_TORCH, *command.split(), cwd=repo, ok=False)
    assert "imported: []" in done.stdout


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("optimiser.lr=1", "optimizer.lr"),
        ("optimizer.learning_rate=1", "optimizer.lr"),
        ("trainr.max_epochs=3", "trainer.max_epochs"),
        ("seeed=1", "seed"),
        ("data.width=3", "model.width"),
        ("optimzer=adam", "optimizer"),
        ("optimizer=adm", "optimizer=adam"),
        ("experiment=papr", "experiment=paper"),
    ],
)
def test_mistyped_override_names_the_nearest(repo, typed, meant):
    done = train(repo, typed, ok=False)
    assert done.returncode == 1
    assert typed.split("=")[0].split(".")[0] in done.stderr and done.stderr.strip().endswith(f"Did you mean {meant}?")
    assert not (repo / "runs").exists()


def test_a_setting_of_a_group_that_is_null(repo):
    path = repo / "configs/experiment/paper.yaml"
    path.write_text(
        re.sub(
            "(?s)override /optimizer: adam(.*)\noptimizer:.*?\nscheduler:",
            r"override /optimizer: null\1\nscheduler:",
            path.read_text(),
        )
    )
    said = "This experiment has no optimizer. To give it one: optimizer=adam optimizer.lr=0.1\n"
    assert train(repo, "experiment=paper", "optimizer.lr=0.1", ok=False).stderr.endswith(said)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("train.py monitor.metric=test/accuracy", "test data never chooses a checkpoint"),
        ("train.py callbacks.best.monitor=test/loss", "callbacks.best.monitor=test/loss: test data never chooses"),
        (
            "train.py callbacks=early_stopping callbacks.early_stopping.monitor=test/accuracy",
            "callbacks.early_stopping.monitor=test/accuracy: test data never chooses",
        ),
        (
            "train.py scheduler=plateau scheduler.monitor=test/loss",
            "scheduler.monitor=test/loss: test data never chooses",
        ),
        (
            "train.py -m seed=0,1 +optimized_metric=test/accuracy",
            "optimized_metric=test/accuracy: test data never chooses",
        ),
        ("train.py resume=runs/other/last.ckpt", "only resume=auto"),
        ("train.py -m seed=0,1 trainer=ddp", "Train one seed at a time, without -m"),
        (
            "train.py +callbacks.other.patience=3",
            "callbacks.other has settings, but the chosen file of configs/callbacks/",
        ),
        ("train.py trainer=ddp trainer.devices=auto", "give a number, as in trainer.devices=2. Each device"),
        ("train.py trainer=ddp trainer.devices=-1", "trainer.devices=-1: give a number"),
        ("evaluate.py", "Which run should be tested? No run exists yet"),
        ("evaluate.py run=runs/nothing", "run=runs/nothing: there is no such run"),
    ],
)
def test_mistakes_get_one_line(repo, command, says):
    done = run("python", *command.split(), cwd=repo, ok=False)
    assert done.returncode == 1 and says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_no_gpu_says_what_to_type(repo):
    done = train(repo, "trainer=gpu", ok=False, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1 and re.fullmatch(r"No GPU: .* use trainer=cpu\.", done.stderr.strip())
