"""Training a language model on a GPU: through the template, and in a plain loop with the same tricks.

``python benchmarks/gpu.py`` bakes the sequence skeleton, enlarges its model to 12 layers of 768 features (context 1,024,
batch 16) and trains it on random characters with bf16-mixed, TF32, fused AdamW, ``torch.compile`` and pinned memory, by
turns through ``train.py`` and in forty lines of PyTorch. It prints tokens a second, the share of the card's peak and the
peak memory, and leaves the raw figures in ``benchmarks/results/gpu.json``. A token counts as 6N + 12LTD operations (N
parameters, L layers, T characters, D features). ``--cpu`` tries the program itself on a tiny model.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

TEMPLATE = Path(__file__).resolve().parents[1]
# Of dense bf16, in operations a second, from the makers' data sheets; other cards get no share
PEAKS = {"H100 80GB HBM3": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "RTX 4090": 165e12}
LARGE = {"layers": 12, "features": 768, "heads": 12, "context": 1024, "batch": 16, "steps": 120, "warm": 40}
TINY = {"layers": 2, "features": 32, "heads": 2, "context": 32, "batch": 4, "steps": 30, "warm": 10}
VOCABULARY = 256
BOTH = """
import json, time, torch
from torch.utils.data import DataLoader, TensorDataset
from my_paper.data import InMemory, _as_it_is

def batches(vocabulary, context, batch, steps):
    drawn = torch.randint(vocabulary, (batch * steps, context + 1), generator=torch.Generator().manual_seed(0))
    tokens = InMemory(drawn[:, :-1].contiguous(), drawn[:, 1:].contiguous())
    return DataLoader(tokens, batch, collate_fn=_as_it_is, pin_memory=torch.cuda.is_available())

class Clock:
    def __init__(self, warm):
        self.warm, self.step = warm, 0
    def tick(self):
        self.step += 1
        if self.step == self.warm:
            self._wait()
            self.begin = time.perf_counter()
    def _wait(self):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    def tell(self, tokens):
        self._wait()
        seconds = (time.perf_counter() - self.begin) / (self.step - self.warm)
        memory = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
        print("measured:", json.dumps({"tokens_per_s": tokens / seconds, "memory": memory}))
"""
OURS = """
import lightning as L
from both import Clock, batches
from lightning.pytorch.callbacks import Callback
from my_paper.data import PaperDataModule

class Random(PaperDataModule):
    def __init__(self, steps, **settings):
        super().__init__(**settings)
        self.steps = steps
    def train_dataloader(self):
        return batches(self.vocab_size, self.context, self.batch_size, self.steps)

class Told(Callback):
    def __init__(self, warm, tokens):
        self.clock, self.tokens = Clock(warm), tokens
    def on_train_batch_end(self, *_):
        self.clock.tick()
    def on_train_epoch_end(self, *_):
        self.clock.tell(self.tokens)
"""
PLAIN = """
import json, sys, torch
from both import Clock, batches
from my_paper.model import PaperModel
size = json.loads(sys.argv[1])
gpu = torch.cuda.is_available()
device = "cuda" if gpu else "cpu"
torch.manual_seed(0)
torch.set_float32_matmul_precision("high")
shape = {"d_model": size["features"], "n_layers": size["layers"], "n_heads": size["heads"], "d_ff": 4 * size["features"]}
model = PaperModel(vocab_size=size["vocabulary"], context=size["context"], **shape).to(device)
if gpu:
    model.compile()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.1, fused=True)
clock = Clock(size["warm"])
for tokens, targets in batches(size["vocabulary"], size["context"], size["batch"], size["steps"]):
    tokens, targets = tokens.to(device, non_blocking=True), targets.to(device, non_blocking=True)
    with torch.autocast(device, torch.bfloat16):
        logits = model(tokens)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    clock.tick()
clock.tell(size["batch"] * size["context"])
"""


def sides(size: dict, gpu: bool) -> dict[str, list[str]]:
    model = {"d_model": size["features"], "n_layers": size["layers"], "n_heads": size["heads"]}
    model |= {"d_ff": 4 * size["features"], "vocab_size": VOCABULARY, "context": size["context"], "dropout": 0}
    ours = [f"model.{key}={value}" for key, value in model.items()]
    ours += ["data._target_=ours.Random", f"+data.steps={size['steps']}", f"data.batch_size={size['batch']}"]
    ours += [f"data.lead={size['context'] // 4}", "optimizer=adamw", "optimizer.lr=1e-4", "optimizer.weight_decay=0.1"]
    ours += ["+callbacks.told._target_=ours.Told", f"+callbacks.told.warm={size['warm']}"]
    ours += [f"+callbacks.told.tokens={size['batch'] * size['context']}", "trainer.gradient_clip_val=null"]
    ours += ["trainer.max_epochs=1", "trainer.max_steps=-1", "trainer.precision=bf16-mixed", "float32_matmul=high"]
    ours += ["+trainer.limit_val_batches=1", "+trainer.limit_test_batches=0", "results=null"]
    ours += ["trainer=gpu", "compile=true"] if gpu else []
    return {
        "train.py": ["train.py", *ours],
        "plain loop": ["plain.py", json.dumps(size | {"vocabulary": VOCABULARY})],
    }


def measure(size: dict, gpu: bool, runs: int) -> dict[str, list[dict]]:
    environment = {**os.environ, "PYTHONPATH": "src"}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    measured: dict[str, list[dict]] = {}
    with tempfile.TemporaryDirectory() as folder:
        bake = ["cookiecutter", str(TEMPLATE), "--no-input", "task=sequence"]
        subprocess.run(bake, cwd=folder, env=environment, check=True, capture_output=True)
        repository = Path(folder) / "my-paper"
        for name, text in {"src/both": BOTH, "src/ours": OURS, "plain": PLAIN}.items():
            (repository / f"{name}.py").write_text(text)
        for _ in range(runs):
            for side, command in sides(size, gpu).items():
                done = subprocess.run(
                    ["python", *command], cwd=repository, env=environment, capture_output=True, text=True
                )
                if done.returncode:
                    sys.exit(f"{command} failed:\n{done.stdout}{done.stderr}")
                measured.setdefault(side, []).append(json.loads(done.stdout.split("measured:")[1].splitlines()[0]))
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cpu", action="store_true", help="a tiny model on the CPU, to try the program itself")
    parser.add_argument("--results", type=Path, default=TEMPLATE / "benchmarks" / "results")
    arguments = parser.parse_args()
    if not (torch.cuda.is_available() or arguments.cpu):
        print("Nothing measured: PyTorch finds no GPU here.")
        return
    size, gpu = (TINY, False) if arguments.cpu else (LARGE, True)
    measured = measure(size, gpu, arguments.runs)
    card = torch.cuda.get_device_name() if gpu else "CPU"
    peak = next((peak for name, peak in PEAKS.items() if name in card), None)
    # each layer has 4 D² weights in attention and 8 D² in the feed-forward part; the embedding multiplies nothing
    weights = 12 * size["layers"] * size["features"] ** 2 + VOCABULARY * size["features"]
    operations = 6 * weights + 12 * size["layers"] * size["context"] * size["features"]
    print(f"{card}, torch {torch.__version__}, {weights / 1e6:.0f} M weights")
    for side, runs in measured.items():
        speed = statistics.median(run["tokens_per_s"] for run in runs)
        share = f"  {speed * operations / peak:.0%} of the peak" if peak else ""
        memory = f"  {max(run['memory'] for run in runs) / 2**30:.1f} GiB" if gpu else ""
        print(f"{side:<12}{speed:>12,.0f} tokens/s{share}{memory}")
    if gpu:
        arguments.results.mkdir(exist_ok=True)
        kept = {"card": card, "torch": torch.__version__, "size": size, "measured": measured}
        (arguments.results / "gpu.json").write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
