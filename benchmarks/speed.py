"""What the machinery costs, each thing beside its floor, interleaved in one run.

``python benchmarks/speed.py`` prints a table of medians and ratios, and leaves it with the raw seconds and a plot in
``benchmarks/results/``. Compared are

- the first answer of ``train.py`` with a Hydra application of the same configs that does nothing;
- ``cookiecutter`` with a template of one file;
- a training of a perceptron 64-256-256-10 on scikit-learn's digits (batch 64, Adam, one thread, validation after each
  epoch) with a loop in plain PyTorch over tensors in memory (``bare``), and with Lightning on the same tensors, progress
  bar, loggers and checkpoints off (``Lightning``). Ours does all it does: bar in a terminal, CSV, best and last
  checkpoint, torchmetrics, record. Adam is the same on all sides, fused or not as the template has it. A step is the
  time from the first to the last one with its validations, divided by their number; the process is ``python`` from
  start to exit, test included.

The suite of an untouched repository and ``report.py`` with 1,000 records have no floor, but a limit in seconds. A second
table says where a step of ours goes, by a sampler that looks at the running program a thousand times a second.

All but ``cookiecutter`` runs in an environment of its own, with what the repository asks for and nothing else: that
takes a minute, and torch a gigabyte.
"""

import argparse
import json
import os
import platform
import pty
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import matplotlib.pyplot as plt

TEMPLATE = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": "src", "OMP_NUM_THREADS": "1"}
COOKIECUTTER = str(Path(sys.executable).with_name("cookiecutter"))
BARE_HYDRA = """import hydra
from omegaconf import OmegaConf
OmegaConf.register_new_resolver("root", lambda: "")
hydra.main(version_base="1.3", config_path="configs", config_name="train")(lambda cfg: None)()
"""
DIGITS = """
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

class MLP(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))

def digits(repeat):
    pixels, labels = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(pixels, labels, test_size=360, stratify=labels, random_state=0)
    x, x_val, y, y_val = train_test_split(x, y, test_size=180, stratify=y, random_state=0)
    tensors = [torch.tensor((part - x.mean()) / x.std(), dtype=torch.float32) for part in (x, x_val, x_test)]
    return tensors[0].repeat(repeat, 1), torch.tensor(y).repeat(repeat), tensors[1], torch.tensor(y_val), tensors[2], torch.tensor(y_test)
"""
BARE = """
import sys, time, torch
from digits import MLP, digits
torch.set_num_threads(1)
repeat, epochs, fused = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "true"
torch.manual_seed(0)
x, y, v, w, a, b = digits(repeat)
model = MLP()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)
loss_of, steps, begin = torch.nn.CrossEntropyLoss(), 0, time.perf_counter()
for epoch in range(epochs):
    model.train()
    for batch in torch.randperm(len(x)).split(64):
        loss = loss_of(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
    model.eval()
    with torch.no_grad():
        accuracy = sum((model(i).argmax(1) == j).sum() for i, j in zip(v.split(64), w.split(64))) / len(w)
print("seconds of a step:", (time.perf_counter() - begin) / steps)
with torch.no_grad():
    print("test accuracy:", (model(a).argmax(1) == b).float().mean().item())
"""
CLOCK = """
import collections, json, signal, time
from lightning.pytorch.callbacks import Callback

class Clock(Callback):
    def on_train_start(self, trainer, pl_module):
        self.begin = time.perf_counter()
    def on_train_end(self, trainer, pl_module):
        print("seconds of a step:", (time.perf_counter() - self.begin) / trainer.global_step)

# What a frame of the running program belongs to, by its file and function; the innermost that is known decides.
KNOWN = [
    ("progress bar", "tqdm", ""), ("checkpoints", "harness/training/resume.py", ""), ("checkpoints", "model_checkpoint.py", ""),
    ("finite loss", "harness/training/callbacks.py", ""), ("metrics", "torchmetrics", ""), ("CSV", "csv_logs.py", ""),
    ("logging", "harness/procedure.py", "_log_"), ("logging", "harness/procedure.py", "_step"),
    ("logging", "logger_connector", ""), ("learning rate", "lr_monitor.py", ""), ("learning rate", "", "update_lr"),
    ("batches", "torch/utils/data", ""), ("batches", "combined_loader.py", ""), ("batches", "fetchers.py", ""),
    ("backward", "torch/autograd/__init__.py", ""), ("Adam", "torch/optim/adam.py", "_fused"),
    ("Adam", "torch/optim/adam.py", "_single"), ("forward and loss", "my_paper/procedure.py", ""),
]

class Sampler(Callback):
    def on_train_start(self, trainer, pl_module):
        self.seen = collections.Counter()
        signal.signal(signal.SIGALRM, self.look)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    def look(self, _, frame):
        part, validation = None, False
        while frame is not None:
            file, function = frame.f_code.co_filename, frame.f_code.co_name
            part = part or next((p for p, f, name in KNOWN if f in file and function.startswith(name)), None)
            validation |= "evaluation_loop.py" in file
            frame = frame.f_back
        self.seen["validation" if validation else part or "Lightning's loops and hooks"] += 1
    def on_train_end(self, trainer, pl_module):
        signal.setitimer(signal.ITIMER_REAL, 0)
        print("looked:", json.dumps(self.seen))
"""
LIGHTNING = """
import logging, sys, torch, warnings
import lightning as L
from torch.utils.data import DataLoader, TensorDataset
from clock import Clock
from digits import MLP, digits
torch.set_num_threads(1)
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")
repeat, epochs, fused = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "true"

class Whole(TensorDataset):
    def __getitems__(self, indices):
        return self[indices]

def loader(*tensors, shuffle=False):
    return DataLoader(Whole(*tensors), 64, shuffle=shuffle, collate_fn=lambda batch: batch)

class Plain(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.model, self.loss_of = MLP(), torch.nn.CrossEntropyLoss()
    def training_step(self, batch, index):
        return self.loss_of(self.model(batch[0]), batch[1])
    def validation_step(self, batch, index):
        (self.model(batch[0]).argmax(1) == batch[1]).sum()
    test_step = validation_step
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3, fused=fused)

L.seed_everything(0, verbose=False)
x, y, v, w, a, b = digits(repeat)
quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
trainer = L.Trainer(accelerator="cpu", max_epochs=epochs, num_sanity_val_steps=0, callbacks=[Clock()], **quiet)
procedure = Plain()
trainer.fit(procedure, loader(x, y, shuffle=True), loader(v, w))
trainer.test(procedure, loader(a, b), verbose=False)
"""
REPEATED = """
from my_paper.data import InMemory, PaperDataModule

class Repeated(PaperDataModule):
    def __init__(self, repeat, **settings):
        super().__init__(**settings)
        self.repeat = repeat
    def setup(self, stage=None):
        super().setup(stage)
        self.train = InMemory(*(t.repeat(self.repeat, *[1] * (t.dim() - 1)) for t in self.train.tensors))
"""
RECORDS = """
import random
from pathlib import Path
from my_paper.harness import identity as settings
from my_paper.harness.evidence import record as records
cfg = settings.compose("experiment=paper")
common = {"experiment": "paper", "digest": settings.digest(cfg), "config": settings.identity(cfg), "status": "finished"}
common |= {"code": records.code_digest(), "git": {"commit": "0" * 40, "dirty": False}}
steps = list(range(1, 400, 2))
for seed in range(1000):
    name = f"paper-{common['digest']}-seed{seed}"
    drawn = ("train/loss", "val/loss", "train/accuracy", "val/accuracy", "train/learning rate")
    curves = {curve: {"steps": steps, "values": [random.random() for _ in steps]} for curve in drawn}
    own = {"seed": seed, "run": f"runs/{name}", "metrics": {"test/accuracy": 0.9 + random.random() / 100}, "curves": curves}
    records.write_json(Path(f"results/{name}.json"), common | own)
paper = Path("configs/paper.yaml")
paper.write_text(paper.read_text().replace("seeds: [0, 1, 2]", f"seeds: {list(range(1000))}"))
"""
LIMITS = {  # of ours by the floor; of what has none, in seconds
    "train.py --cfg job": 1.15,
    "train.py, mistyped": 1.15,
    "train.py --help": 1.15,
    "cookiecutter --no-input": 2.0,
    "a step, 20 an epoch": 1.9,
    "a step, 460 an epoch": 1.45,
    "20 epochs, start to exit": 1.2,
    "the generated suite": 30.0,
    "report.py, 1,000 records": 3.0,
}
Measured = dict[str, dict[str, list[float]]]  # seconds, by what and side


def timed(*command: str, cwd: Path) -> float:
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True)
    if done.returncode > 1:  # a mistyped override ends with 1
        sys.exit(f"{command} failed:\n{done.stdout.decode()}{done.stderr.decode()}")
    return time.perf_counter() - begin


def told(*command: str, cwd: Path) -> str:
    """What a program prints that believes that somebody looks on."""
    keyboard, terminal = pty.openpty()
    subprocess.run(["stty", "rows", "24", "columns", "120"], stdin=terminal)
    process = subprocess.Popen(command, cwd=cwd, env=ENVIRONMENT, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(keyboard, 65536):
            shown += part
    except OSError:  # so Linux ends a terminal that nobody writes to any more
        pass
    if process.wait():
        sys.exit(f"{command} failed:\n{shown.decode()}")
    return shown.decode()


def bake(template: Path, folder: Path) -> float:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return timed(COOKIECUTTER, str(template), "--no-input", cwd=folder)


def install(repository: Path, folder: Path) -> None:
    """An environment for the repository alone, from which all commands come."""
    venv.create(folder, with_pip=True)
    ENVIRONMENT["PATH"] = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    timed("pip", "install", "--quiet", "--editable", ".", "--constraint", "constraints.txt", cwd=repository)


def rounds(sides: dict[tuple[str, str], Callable[[], float]], runs: int, measured: Measured) -> None:
    """Time all sides in turn, so many times; the first round warms up and is dropped."""
    for number in range(runs + 1):
        for (what, side), seconds in sides.items():
            found = seconds()
            if number:
                measured.setdefault(what, {}).setdefault(side, []).append(found)


def compare(runs: int) -> tuple[Measured, dict[str, float]]:
    """Seconds of all sides, and the milliseconds that each part takes of a step of ours."""
    measured: Measured = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one_file = folder / "floor" / "{{cookiecutter.slug}}"
        one_file.mkdir(parents=True)
        (one_file / "README.md").write_text("# {{cookiecutter.slug}}\n")
        (folder / "floor" / "cookiecutter.json").write_text('{"slug": "floor"}')
        bake(TEMPLATE, folder / "ours")
        repository = folder / "ours" / "my-paper"
        install(repository, folder / "environment")
        measured["the generated suite"] = {"ours": [timed("pytest", "--quiet", cwd=repository)]}
        shutil.copytree(repository, folder / "records")
        timed("python", "-c", RECORDS, cwd=folder / "records")

        programs = {"hydra_alone": BARE_HYDRA, "bare": BARE, "lightning_alone": LIGHTNING}
        modules = {"src/digits": DIGITS, "src/clock": CLOCK, "src/repeated": REPEATED}
        for program, text in (programs | modules).items():
            (repository / f"{program}.py").write_text(text)
        (repository / "configs/model/mlp.yaml").write_text("_target_: digits.MLP\n")

        def answer(program: str, *arguments: str) -> Callable[[], float]:
            return lambda: timed("python", program, *arguments, cwd=repository)

        asked = {
            "train.py --cfg job": ["--cfg", "job"],
            "train.py, mistyped": ["seeed=1"],
            "train.py --help": ["--help"],
        }
        sides = {}
        for what, arguments in asked.items():
            sides |= {
                (what, "ours"): answer("train.py", *arguments),
                (what, "bare"): answer("hydra_alone.py", *arguments),
            }
        cookies = "cookiecutter --no-input"
        sides[cookies, "ours"] = lambda: bake(TEMPLATE, folder / "again")
        sides[cookies, "bare"] = lambda: bake(folder / "floor", folder / "one-file")
        sides["report.py, 1,000 records", "ours"] = lambda: timed("python", "report.py", cwd=folder / "records")
        rounds(sides, 2 * runs, measured)

        fused = "true" if "fused: true" in (repository / "configs/optimizer/adam.yaml").read_text() else "false"
        ours = ["train.py", "model=mlp", "+callbacks.clock._target_=clock.Clock", "metrics.num_classes=10"]
        ours += ["results=null", "data._target_=repeated.Repeated", "optimizer.lr=1e-3"]

        def training(what: str, side: str, *command: str) -> Callable[[], float]:
            def seconds() -> float:
                begin = time.perf_counter()
                shown = told("python", *command, cwd=repository)
                if what == "a step, 20 an epoch":
                    process = measured.setdefault("20 epochs, start to exit", {})
                    process.setdefault(side, []).append(time.perf_counter() - begin)
                return float(shown.split("seconds of a step:")[1].split()[0])

            return seconds

        sides = {}
        for what, repeat, epochs in (("a step, 20 an epoch", "1", "20"), ("a step, 460 an epoch", "23", "2")):
            commands = {
                "bare": ("bare.py", repeat, epochs, fused),
                "Lightning": ("lightning_alone.py", repeat, epochs, fused),
                "ours": (*ours, f"+data.repeat={repeat}", f"trainer.max_epochs={epochs}"),
            }
            sides |= {(what, side): training(what, side, *command) for side, command in commands.items()}
        rounds(sides, runs, measured)
        measured["20 epochs, start to exit"] = {
            side: values[1:] for side, values in measured["20 epochs, start to exit"].items()
        }

        looked = [
            "python",
            *ours,
            "+data.repeat=1",
            "trainer.max_epochs=200",
            "+callbacks.sampler._target_=clock.Sampler",
        ]
        seen = json.loads(told(*looked, cwd=repository).split("looked:")[1].splitlines()[0])
        step = statistics.median(measured["a step, 20 an epoch"]["ours"])
        parts = {part: 1000 * step * times / sum(seen.values()) for part, times in seen.items()}
    return measured, dict(sorted(parts.items(), key=lambda part: -part[1]))


def table(measured: Measured) -> str:
    lines = [f"{'medians':<26}{'ours':>10}{'Lightning':>17}{'bare':>10}{'ratio':>8}{'limit':>8}"]
    for what, limit in LIMITS.items():
        unit, scale = ("ms", 1000) if "step" in what else ("s", 1)
        medians = {side: statistics.median(values) for side, values in measured[what].items()}
        bare = medians.get("bare")
        ratio, floor, beside = "", "", ""
        if bare:
            ratio, floor = f"{medians['ours'] / bare:.2f}", f"{bare * scale:.2f} {unit}"
        if middle := medians.get("Lightning"):
            beside = f"{middle * scale:.2f} {unit} ({middle / bare:.2f})"
        allowed = f"{limit:g}" if bare else f"{limit:g} s"
        lines.append(
            f"{what:<26}{medians['ours'] * scale:>7.2f} {unit:<2}{beside:>17}{floor:>10}{ratio:>8}{allowed:>8}"
        )
    return "\n".join(lines)


def parts_table(parts: dict[str, float]) -> str:
    lines = ["Of a step of ours, 20 an epoch with their validation:"]
    lines += [
        f"{part:<28}{milliseconds:>6.3f} ms {milliseconds / sum(parts.values()):>5.0%}"
        for part, milliseconds in parts.items()
    ]
    return "\n".join(lines)


def draw(measured: Measured, path: Path) -> None:
    """Every run of what has a floor, in units of the floor's median."""
    compared = [what for what in LIMITS if "bare" in measured[what]][::-1]
    figure, axes = plt.subplots(figsize=(7, 0.5 * len(compared) + 1), layout="constrained")
    for side, colour in {"bare": "0.6", "Lightning": "tab:orange", "ours": "tab:blue"}.items():
        points = [
            (value / statistics.median(measured[what]["bare"]), row)
            for row, what in enumerate(compared)
            for value in measured[what].get(side, [])
        ]
        axes.plot(*zip(*points, strict=True), "o", color=colour, alpha=0.6, label=side)
    axes.plot([LIMITS[what] for what in compared], range(len(compared)), "|", color="black", ms=16, label="limit")
    axes.set(yticks=range(len(compared)), yticklabels=compared, xlabel="time, in medians of bare", xlim=(0.5, None))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=4, frameon=False)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--results", type=Path, default=TEMPLATE / "benchmarks" / "results")
    arguments = parser.parse_args()
    measured, parts = compare(arguments.runs)
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    machine |= {package: version(package) for package in ("torch", "lightning", "hydra-core", "cookiecutter")}
    arguments.results.mkdir(exist_ok=True)
    kept = {"machine": machine, "seconds": measured, "milliseconds of a step": parts}
    (arguments.results / "speed.json").write_text(json.dumps(kept, indent=1) + "\n")
    tables = f"{table(measured)}\n\n{parts_table(parts)}\n"
    (arguments.results / "speed.txt").write_text(tables)
    draw(measured, arguments.results / "speed.svg")
    print(tables)


if __name__ == "__main__":
    main()
