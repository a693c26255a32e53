"""What the machinery adds to a training step, beside a bare PyTorch loop, interleaved in one run.

``python benchmarks/training.py`` prints a table of medians and ratios. The network is a perceptron 64-256-256-10 on
the digits, batch 64, Adam, one thread, 20 steps or 460 an epoch. Compared are

- bare: a loop over tensors in memory, with a validation after each epoch, and nothing else;
- floor: Lightning on the same tensors, with progress bar, loggers and checkpoints off;
- ours: ``train.py`` with all it does: progress bar, CSV, best and last checkpoint, torchmetrics, record.

Both sides use the same implementation of Adam. A step is the time from the start of training to its end, divided by
the steps; the process is ``python`` from start to exit, test included.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[1]
MODEL = """
import time
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

class MLP(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))

class Clock(Callback):
    def on_train_start(self, trainer, pl_module):
        self.begin = time.perf_counter()
    def on_train_end(self, trainer, pl_module):
        print("seconds of a step:", (time.perf_counter() - self.begin) / trainer.global_step)

def data(repeat):
    from .data import PaperDataModule
    data = PaperDataModule(batch_size=64)
    data.setup("fit")
    (x, y), (v, w) = data.train.tensors, data.val.tensors
    return x.repeat(repeat, 1, 1, 1), y.repeat(repeat), v, w

class Repeated(__import__("my_paper.data").data.PaperDataModule):
    def __init__(self, repeat, **settings):
        super().__init__(**settings)
        self.repeat = repeat
    def setup(self, stage=None):
        super().setup(stage)
        from .data import InMemory
        self.train = InMemory(*(t.repeat(self.repeat, *[1] * (t.dim() - 1)) for t in self.train.tensors))
"""
BARE = """
import sys, time, torch
torch.set_num_threads(1)
from my_paper.mlp import MLP, data
repeat, epochs, fused = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "true"
torch.manual_seed(0)
x, y, v, w = data(repeat)
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
        accuracy = sum((model(a).argmax(1) == b).sum() for a, b in zip(v.split(64), w.split(64))) / len(w)
print("seconds of a step:", (time.perf_counter() - begin) / steps)
"""
FLOOR = """
import logging, sys, torch, warnings
import lightning as L
torch.set_num_threads(1)
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")
from my_paper.mlp import MLP, Clock, data
from torch.utils.data import DataLoader, TensorDataset
repeat, epochs, fused = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "true"
class Whole(TensorDataset):
    def __getitems__(self, indices):
        return self[indices]
def same(batch):
    return batch
class Plain(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.model, self.loss_of = MLP(), torch.nn.CrossEntropyLoss()
    def training_step(self, batch, index):
        return self.loss_of(self.model(batch[0]), batch[1])
    def validation_step(self, batch, index):
        (self.model(batch[0]).argmax(1) == batch[1]).sum()
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3, fused=fused)
L.seed_everything(0, verbose=False)
x, y, v, w = data(repeat)
quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
trainer = L.Trainer(accelerator="cpu", max_epochs=epochs, num_sanity_val_steps=0, callbacks=[Clock()], **quiet)
trainer.fit(Plain(), DataLoader(Whole(x, y), 64, shuffle=True, collate_fn=same), DataLoader(Whole(v, w), 64, collate_fn=same))
"""


def timed(command: list[str], cwd: Path) -> dict[str, float]:
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True)
    process = time.perf_counter() - begin
    if done.returncode:
        sys.exit(f"{command} failed:\n{done.stdout}{done.stderr}")
    return {"step": float(done.stdout.split("seconds of a step:")[1].split()[0]), "process": process}


def compare(runs: int, epochs: int) -> dict:
    """Seconds, by steps an epoch, side and round; the first round warms up and is dropped."""
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(
            ["cookiecutter", TEMPLATE, "--no-input"], cwd=name, env=ENVIRONMENT, check=True, capture_output=True
        )
        repository = Path(name) / "my-paper"
        (repository / "src/my_paper/mlp.py").write_text(MODEL)
        (repository / "configs/model/mlp.yaml").write_text("_target_: my_paper.mlp.MLP\n")
        (repository / "bare.py").write_text(BARE)
        (repository / "floor.py").write_text(FLOOR)
        optimizer = (repository / "configs/optimizer/adam.yaml").read_text()
        fused = "true" if "fused: true" in optimizer else "false"
        ours = ["train.py", "model=mlp", "+callbacks.clock._target_=my_paper.mlp.Clock", "metrics.num_classes=10"]
        ours += ["data._target_=my_paper.mlp.Repeated", "optimizer.lr=1e-3"]
        measured: dict = {}
        for _ in range(runs + 1):
            for repeat, times in ((1, epochs), (23, max(1, epochs // 10))):
                sides = {
                    "bare": ["bare.py", str(repeat), str(times), fused],
                    "floor": ["floor.py", str(repeat), str(times), fused],
                    "ours": [*ours, f"+data.repeat={repeat}", f"trainer.max_epochs={times}"],
                }
                for side, command in sides.items():
                    found = timed(["python", *command], repository)
                    measured.setdefault(f"{20 * repeat} steps an epoch", {}).setdefault(side, []).append(found)
    return {what: {side: values[1:] for side, values in sides.items()} for what, sides in measured.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--json", type=Path, help="where the raw seconds go")
    arguments = parser.parse_args()
    measured = compare(arguments.runs, arguments.epochs)
    for what, sides in measured.items():
        for kind, unit in (("step", 1000), ("process", 1)):
            medians = {side: statistics.median(run[kind] for run in runs) * unit for side, runs in sides.items()}
            ratios = {side: median / medians["bare"] for side, median in medians.items()}
            told = "  ".join(f"{side} {medians[side]:.2f} ({ratios[side]:.2f})" for side in medians)
            print(f"{what:<22}{kind:<9}{'ms' if unit == 1000 else 's':<4}{told}")
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=2))


ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONPATH": "src",
}

if __name__ == "__main__":
    main()
