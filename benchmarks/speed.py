"""What the machinery costs, each thing beside its floor, interleaved in one run.

``python benchmarks/speed.py`` writes the table of medians and ratios into ``benchmarks/README.md``, which says what each
row compares, and the raw seconds and a plot into ``benchmarks/results/``. A second table says where a step of ours goes,
by a sampler that looks at the running program a thousand times a second.

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

class Transformer(nn.Module):  # the eight rows of an image are its tokens
    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Linear(8, 64), nn.Linear(64, 10)
        layer = nn.TransformerEncoderLayer(64, 4, 256, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    def forward(self, images):
        return self.out(self.layers(self.embed(images.view(-1, 8, 8))).mean(1))

def network(name):
    if name == "Transformer":
        return Transformer()
    if name == "convolution":
        layers = nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU()
        return nn.Sequential(nn.Flatten(), nn.Unflatten(1, (1, 8, 8)), *layers, nn.Flatten(), nn.Linear(4096, 10))
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))

def digits(repeat):
    pixels, labels = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(pixels, labels, test_size=360, stratify=labels, random_state=0)
    x, x_val, y, y_val = train_test_split(x, y, test_size=180, stratify=y, random_state=0)
    tensors = [torch.tensor((part - x.mean()) / x.std(), dtype=torch.float32) for part in (x, x_val, x_test)]
    return tensors[0].repeat(repeat, 1), torch.tensor(y).repeat(repeat), tensors[1], torch.tensor(y_val), tensors[2], torch.tensor(y_test)
"""
BARE = """
import sys, time, torch
from digits import digits, network
torch.set_num_threads(1)
repeat, epochs, fused, name = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "true", sys.argv[4]
torch.manual_seed(0)
x, y, v, w, a, b = digits(repeat)
model = network(name)
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
from digits import digits, network
torch.set_num_threads(1)
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")
repeat, epochs, fused, name = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "true", sys.argv[4]

class Whole(TensorDataset):
    def __getitems__(self, indices):
        return self[indices]

def loader(*tensors, shuffle=False):
    return DataLoader(Whole(*tensors), 64, shuffle=shuffle, collate_fn=lambda batch: batch)

class Plain(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.model, self.loss_of = network(name), torch.nn.CrossEntropyLoss()
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
import random, sys
from pathlib import Path
from my_paper.harness import identity as settings
from my_paper.harness.evidence import record as records
steps, drawn = list(range(1, 400, 2)), ("train/loss", "val/loss", "train/accuracy", "val/accuracy", "train/learning rate")
for number in range(int(sys.argv[1]) // 20):  # configurations, of 20 seeds each; the first is the paper's
    cfg = settings.compose("experiment=paper", *[f"optimizer.lr={number / 1000}"] * (number > 0))
    common = {"experiment": "paper", "digest": settings.digest(cfg), "config": settings.identity(cfg), "status": "finished"}
    common |= {"code": records.code_digest(), "git": {"commit": "0" * 40, "dirty": False}}
    for seed in range(20):
        name = f"paper-{common['digest']}-seed{seed}"
        curves = {curve: {"steps": steps, "values": [float(f"{random.random():.6g}") for _ in steps]} for curve in drawn}
        own = {"seed": seed, "run": f"runs/{name}", "metrics": {"test/accuracy": 0.9 + random.random() / 100}, "curves": curves}
        records.write_json(Path(f"results/{name}.json"), common | own)
paper = Path("configs/paper.yaml")
paper.write_text(paper.read_text().replace("seeds: [0, 1, 2]", f"seeds: {list(range(20))}"))
"""
TINY = """
import sys, time, torch
moves = (2 * torch.randint(2, (int(sys.argv[1]),), generator=torch.Generator().manual_seed(0)) - 1).tolist()
v, state, begin = [0.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.0], 3, time.perf_counter()
for move in moves:
    after = state + move
    delta = (after == 6) + v[after] - v[state]
    v[state] += 0.001 * delta
    state = after if 0 < after < 6 else 3
print("seconds of a step:", (time.perf_counter() - begin) / len(moves))
"""
STEPS = {  # network, how often the 1,257 images are repeated in an epoch, epochs
    "a step, perceptron": ("perceptron", 1, 20),
    "a step, convolution": ("convolution", 1, 10),
    "a step, Transformer": ("Transformer", 1, 10),
    "a step, perceptron, long epochs": ("perceptron", 23, 2),
}
PROCESS = "20 epochs, start to exit"
# What is compared, its unit, the side that is the floor (none: a limit in seconds), the limit, and what it means
ROWS = [
    (
        "train.py --cfg job",
        "s",
        "bare",
        1.15,
        "the first answer, beside a Hydra application of the same configs that does nothing",
    ),
    ("train.py, mistyped", "s", "bare", 1.15, "`seeed=1`, answered by the nearest name"),
    ("train.py --help", "s", "bare", 1.15, ""),
    ("cookiecutter --no-input", "s", "bare", 2.0, "a bake with its first commit, beside a template of one file"),
    ("a step, perceptron", "ms", "Lightning", 1.15, "64-256-256-10 on scikit-learn's digits, 20 steps an epoch"),
    ("a step, convolution", "ms", "Lightning", 1.15, "two layers of 32 and 64 channels"),
    ("a step, Transformer", "ms", "Lightning", 1.15, "two layers of 64 features, eight tokens"),
    ("a step, perceptron, long epochs", "ms", "Lightning", 1.15, "460 steps an epoch"),
    (PROCESS, "s", "Lightning", 1.15, "of the perceptron, with imports, test and record"),
    (
        "a tiny step, 1,000 a call",
        "µs",
        "bare",
        1.1,
        "updates by hand in `training_step`, beside a loop in plain Python",
    ),
    ("a tiny step, 10,000 a call", "µs", "bare", 1.1, ""),
    ("the generated suite", "s", None, 30.0, "`pytest` in an untouched repository"),
    ("report.py, 20 records", "s", None, 1.0, "the seeds of one experiment"),
    ("report.py, 1,000 records", "s", None, 2.0, "and of a sweep over 49 learning rates"),
]
SCALE = {"s": 1, "ms": 1e3, "µs": 1e6}
README = """# What the machinery costs

`make bench` measures this table and writes it. Each row is the median of runs that take turns on one machine: %(machine)s.

%(table)s

- **bare** is the least that does the job: for a step, a loop in plain PyTorch over tensors in memory. **Lightning** is its
  Trainer on the same tensors, with progress bar, loggers and checkpoints off. **Ours** is `train.py` as it comes: bar, CSV,
  best and last checkpoint, metrics, check for finite losses, record.
- All sides have the same network, batch of 64, Adam, one thread, and a validation after each epoch. A step is the time
  from the first to the last one with the validations, divided by their number.
- The ratio is ours by the floor. For a step the floor is Lightning, so that the ratio is what this template costs; ours by
  bare is what Lightning costs as well.
- What ours adds comes once an epoch: metrics, a row of CSV, a checkpoint where validation is better. It shows most where an
  epoch has 20 steps of a millisecond.
- Lightning needs about a millisecond to call `training_step`, whatever happens in it: make thousands of tiny updates in one
  call.

Where a step of the perceptron goes, with its share of the validation:

%(parts)s

`python benchmarks/components.py` compares the building blocks, `python benchmarks/gpu.py` a language model on a GPU with a
loop of forty lines. Raw seconds: [results/speed.json](results/speed.json); each run: [results/speed.svg](results/speed.svg).
"""
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
        # without the folders of other sessions, which pytest would clean up
        suite = "pytest", "--quiet", f"--basetemp={folder / 'temporary'}"
        measured["the generated suite"] = {"ours": [timed(*suite, cwd=repository) for _ in range(2)]}
        for number in ("20", "1000"):
            shutil.copytree(repository, folder / number)
            timed("python", "-c", RECORDS, number, cwd=folder / number)
        shutil.copytree(repository, folder / "tiny")
        for path in (TEMPLATE / "tests/shapes/tabular_td").glob("*.py"):
            shutil.copy(path, folder / "tiny/src/my_paper")
        shutil.copytree(TEMPLATE / "tests/shapes/tabular_td/configs", folder / "tiny/configs", dirs_exist_ok=True)

        programs = {"hydra_alone": BARE_HYDRA, "bare": BARE, "lightning_alone": LIGHTNING, "tiny": TINY}
        modules = {"src/digits": DIGITS, "src/clock": CLOCK, "src/repeated": REPEATED}
        for program, text in (programs | modules).items():
            (repository / f"{program}.py").write_text(text)
        shutil.copy(repository / "src/clock.py", folder / "tiny/src")
        (repository / "configs/model/bench.yaml").write_text("_target_: digits.network\nname: perceptron\n")

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
        sides["report.py, 20 records", "ours"] = lambda: timed("python", "report.py", cwd=folder / "20")
        sides["report.py, 1,000 records", "ours"] = lambda: timed("python", "report.py", cwd=folder / "1000")
        rounds(sides, 2 * runs, measured)

        fused = "true" if "fused: true" in (repository / "configs/optimizer/adam.yaml").read_text() else "false"
        clock = "+callbacks.clock._target_=clock.Clock"
        ours = ["train.py", "model=bench", clock, "metrics.num_classes=10", "results=null"]
        ours += ["data._target_=repeated.Repeated", "optimizer.lr=1e-3"]

        def training(what: str, side: str, *command: str, cwd: Path = repository) -> Callable[[], float]:
            def seconds() -> float:
                begin = time.perf_counter()
                shown = told("python", *command, cwd=cwd)
                if what == "a step, perceptron":
                    measured.setdefault(PROCESS, {}).setdefault(side, []).append(time.perf_counter() - begin)
                return float(shown.split("seconds of a step:")[1].split()[0])

            return seconds

        by_hand = ["train.py", "experiment=paper", clock, "results=null", "trainer.max_steps=1_000_000"]
        sides = {}
        for what, number in (("a tiny step, 1,000 a call", 1000), ("a tiny step, 10,000 a call", 10_000)):
            sides[what, "bare"] = training(what, "bare", "tiny.py", "1000000")
            sides[what, "ours"] = training(what, "ours", *by_hand, f"data.batch_size={number}", cwd=folder / "tiny")
        for what, (name, repeat, epochs) in STEPS.items():
            same = str(repeat), str(epochs), fused, name
            commands = {
                "bare": ("bare.py", *same),
                "Lightning": ("lightning_alone.py", *same),
                "ours": (*ours, f"model.name={name}", f"+data.repeat={repeat}", f"trainer.max_epochs={epochs}"),
            }
            sides |= {(what, side): training(what, side, *command) for side, command in commands.items()}
        rounds(sides, runs, measured)
        measured[PROCESS] = {side: values[1:] for side, values in measured[PROCESS].items()}

        looked = [
            "python",
            *ours,
            "+data.repeat=1",
            "trainer.max_epochs=200",
            "+callbacks.sampler._target_=clock.Sampler",
        ]
        seen = json.loads(told(*looked, cwd=repository).split("looked:")[1].splitlines()[0])
        step = statistics.median(measured["a step, perceptron"]["ours"])
        parts = {part: 1000 * step * times / sum(seen.values()) for part, times in seen.items()}
    return measured, dict(sorted(parts.items(), key=lambda part: -part[1]))


def table(measured: Measured) -> str:
    lines = ["| | ours | Lightning | bare | ours / floor | limit | |", "|---|---|---|---|---|---|---|"]
    for what, unit, floor, limit, meaning in ROWS:
        medians = {side: statistics.median(values) for side, values in measured[what].items()}
        cells = [
            f"{medians[side] * SCALE[unit]:.3g} {unit}" if side in medians else ""
            for side in ("ours", "Lightning", "bare")
        ]
        ratio = f"{medians['ours'] / medians[floor]:.2f} × {floor}" if floor else ""
        lines.append(
            " | ".join([f"| {what}", *cells, ratio, f"{limit:g}" if floor else f"{limit:g} s", f"{meaning} |"])
        )
    return "\n".join(lines)


def parts_table(parts: dict[str, float]) -> str:
    rows = [f"| {part} | {ms:.3f} ms | {ms / sum(parts.values()):.0%} |" for part, ms in parts.items()]
    return "\n".join(["| | | |", "|---|---|---|", *rows])


def draw(measured: Measured, path: Path) -> None:
    """Every run of what has a floor, in units of the floor's median."""
    compared = [(what, floor, limit) for what, _, floor, limit, _ in ROWS[::-1] if floor]
    figure, axes = plt.subplots(figsize=(7, 0.5 * len(compared) + 1), layout="constrained")
    for side, colour in {"bare": "0.6", "Lightning": "tab:orange", "ours": "tab:blue"}.items():
        points = [
            (value / statistics.median(measured[what][floor]), row)
            for row, (what, floor, _) in enumerate(compared)
            for value in measured[what].get(side, [])
        ]
        axes.plot(*zip(*points, strict=True), "o", color=colour, alpha=0.6, label=side)
    axes.plot([limit for *_, limit in compared], range(len(compared)), "|", color="black", ms=16, label="limit")
    axes.set(
        yticks=range(len(compared)), yticklabels=[what for what, *_ in compared], xlabel="time, in medians of the floor"
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.15), ncols=4, frameon=False)
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
    draw(measured, arguments.results / "speed.svg")
    words = f"{machine['cores']} cores, {machine['machine']}, Python {machine['python']}, torch {machine['torch']}"
    words += f", Lightning {machine['lightning']}"
    text = README % {"machine": words, "table": table(measured), "parts": parts_table(parts)}
    (arguments.results.parent / "README.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
