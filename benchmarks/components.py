"""The building blocks beside the naive form and beside what people install, interleaved in one run.

``python benchmarks/components.py`` prints one table: medians of a forward and backward pass, peak memory, and both over
those of the best library. Raw figures and the growth go to build/components.json and build/components.svg. ``--full``
adds the largest sizes, and much time. Libraries that are not installed are left out:
``pip install pytorch-metric-learning rotary-embedding-torch transformers``.

Memory is what PyTorch's allocator held at most beyond the inputs, from its profiler on a CPU (the same in every run, and
blind to what libraries below it take), from its own statistics on a GPU. A case that would take more than half of the
free memory is not run, and says so.
"""

import argparse
import importlib.util
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F

TEMPLATE = Path(__file__).resolve().parents[1]
FOLDER = TEMPLATE / "{{cookiecutter.project_slug}}/src/{{cookiecutter.package_name}}/components"
B, H, D = 8, 8, 512  # the batch, heads and model size of attention and RoPE
FEATURES = 128  # of the embeddings of the contrastive losses
LIBRARIES = ("torch.nn", "rotary-embedding-torch", "transformers", "pytorch-metric-learning")
Work = Callable[[], object]


def block(name: str):
    """A block from the template itself, which must stay free of bytecode."""
    spec = importlib.util.spec_from_file_location(f"block_{name}", FOLDER / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    sys.dont_write_bytecode = False
    return module


def library(name: str):
    """A library's module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def forward_and_backward(function: Callable, inputs: list[torch.Tensor], parameters=()) -> Work:
    upstream = []

    def work():
        outputs = function(*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        if not upstream:
            upstream.extend(torch.randn_like(output) for output in outputs)
        torch.autograd.grad(outputs, [*inputs, *parameters], upstream)

    return work


def attention_cases(sizes: list[int], device: str) -> Iterator[tuple[str, int, dict[str, tuple[Work, int]]]]:
    """(what, T, {contender: (work, bytes that it will take)})."""
    ours = block("attention").MultiHeadAttention(D, H).to(device)
    theirs = torch.nn.MultiheadAttention(D, H, batch_first=True, device=device)

    def naive(x, causal):
        q, k, v = (
            p(x).unflatten(-1, (H, -1)).transpose(1, 2)  # (B, T, D) -> (B, H, T, D/H)
            for p in (ours.q_proj, ours.k_proj, ours.v_proj)
        )
        scores = q @ k.transpose(-2, -1) / math.sqrt(D // H)  # -> (B, H, T, T)
        if causal:
            scores = scores.masked_fill(torch.ones(x.shape[1], x.shape[1], device=device).triu(1).bool(), -math.inf)
        return ours.out_proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))

    for length in sizes:
        x = torch.randn(B, length, D, device=device, requires_grad=True)
        future = torch.ones(length, length, dtype=torch.bool, device=device).triu(1)
        square = B * H * length**2 * 4  # bytes of one matrix of scores
        for causal in (False, True):

            def of_torch(x, mask=future if causal else None):
                return theirs(x, x, x, attn_mask=mask, is_causal=mask is not None, need_weights=False)[0]

            work = {
                "ours": (lambda x, c=causal: ours(x, x, x, is_causal=c), ours, 0),
                "naive": (lambda x, c=causal: naive(x, c), ours, 4 * square),
                "torch.nn": (of_torch, theirs, 0),
            }
            yield (
                "attention, causal" if causal else "attention",
                length,
                {name: (forward_and_backward(f, [x], m.parameters()), size) for name, (f, m, size) in work.items()},
            )


def rotary_cases(sizes: list[int], device: str) -> Iterator[tuple[str, int, dict[str, tuple[Work, int]]]]:
    Rotary = block("positional").RotaryPositionalEmbedding
    interleaved, half = Rotary(D // H), Rotary(D // H, interleaved=False)
    lucidrains, llama = library("rotary_embedding_torch"), library("transformers.models.llama.modeling_llama")
    for length in sizes:
        # as they come from the projections: (B, T, H, D/H) seen as (B, H, T, D/H)
        q, k = (
            torch.randn(B, length, H, D // H, device=device).transpose(1, 2).detach().requires_grad_() for _ in range(2)
        )
        angles = torch.arange(length)[:, None] * 10000.0 ** (-torch.arange(0, D // H, 2) / (D // H))
        cos, sin = (f(torch.cat((angles, angles), -1))[None].to(device) for f in (torch.cos, torch.sin))

        def naive(q, k, cos=cos[0, :, : D // H // 2], sin=sin[0, :, : D // H // 2]):
            def turn(x):
                a, b = x[..., ::2], x[..., 1::2]
                return torch.stack((a * cos - b * sin, b * cos + a * sin), -1).flatten(-2)

            return turn(q), turn(k)

        work = {"ours": interleaved, "naive": naive}
        if lucidrains:
            theirs = lucidrains.RotaryEmbedding(D // H).to(device)
            work["rotary-embedding-torch"] = lambda q, k, r=theirs: tuple(r.rotate_queries_or_keys(x) for x in (q, k))
        interleaved(q, k), half(q, k)  # the tables of all positions are made once
        yield "RoPE, interleaved", length, {n: (forward_and_backward(f, [q, k]), 0) for n, f in work.items()}
        work = {"ours": half}
        if llama:
            work["transformers"] = lambda q, k, c=cos, s=sin: llama.apply_rotary_pos_emb(q, k, c, s)
        yield "RoPE, half-split", length, {n: (forward_and_backward(f, [q, k]), 0) for n, f in work.items()}


def contrastive_cases(sizes: list[int], device: str) -> Iterator[tuple[str, int, dict[str, tuple[Work, int]]]]:
    Loss, metric_learning = block("contrastive").ContrastiveLoss, library("pytorch_metric_learning.losses")

    def naive(z_i, z_j):
        z = F.normalize(torch.cat((z_i, z_j)))
        similarity = (z @ z.T / 0.07).masked_fill(torch.eye(len(z), dtype=torch.bool, device=device), -math.inf)
        return F.cross_entropy(similarity, torch.arange(len(z), device=device).roll(len(z) // 2))

    for batch in sizes:
        views = [torch.randn(batch, FEATURES, device=device, requires_grad=True) for _ in range(2)]
        square = (2 * batch) ** 2 * 4
        work = {
            "ours": (Loss(), 3 * square),
            "ours, block_size=512": (Loss(block_size=512), 0),
            "naive": (naive, 4 * square),
        }
        if metric_learning:
            labels, theirs = torch.arange(batch, device=device).repeat(2), metric_learning.NTXentLoss(0.07)
            # each of the 2N positive pairs beside each of the 4N² negative ones
            work["pytorch-metric-learning"] = (
                lambda z_i, z_j, f=theirs, y=labels: f(torch.cat((z_i, z_j)), y),
                6 * 2 * batch * square,
            )
        yield "NT-Xent", batch, {n: (forward_and_backward(f, views), size) for n, (f, size) in work.items()}


def seconds(work: Work, device: str) -> float:
    begin = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def peak(work: Work, device: str) -> int:
    """The most bytes held at once, beyond those held before."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    held = most = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def free(device: str) -> int:
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def measure(contenders: dict[str, tuple[Work, int]], runs: int, device: str) -> dict[str, dict]:
    """Seconds of each run and peak bytes by contender; the order turns from round to round, the first is dropped."""
    run = {name: work for name, (work, size) in contenders.items() if size < free(device) / 2}
    taken = {name: {"seconds": [], "bytes": peak(work, device)} for name, work in run.items()}  # and warms up
    names = list(run)
    for turn in range(runs):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            taken[name]["seconds"].append(seconds(run[name], device))
    return {name: taken.get(name) for name in contenders}


def show(what: str, size: int, measured: dict[str, dict]) -> None:
    known = {name: (statistics.median(m["seconds"]), m["bytes"]) for name, m in measured.items() if m}
    libraries = [known[name] for name in known if name in LIBRARIES]
    for name in measured:
        if name not in known:
            print(f"{what:<19}{size:>6}  {name:<24}   would take more than half of the free memory: not run")
            continue
        time_taken, held = known[name]
        ratios = ""
        if libraries:
            best = [min(values) for values in zip(*libraries, strict=True)]
            ratios = f"{time_taken / best[0]:>10.3g}{held / best[1]:>10.3g}"
        print(f"{what:<19}{size:>6}  {name:<24}{1e3 * time_taken:>10.1f}{held / 2**20:>10.1f}{ratios}", flush=True)


def plot(measured: dict[str, dict[int, dict]], path: Path) -> None:
    """Time and memory over size, a column per block, both axes logarithmic."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        return
    figure, axes = plt.subplots(2, len(measured), figsize=(4 * len(measured), 7), squeeze=False)
    for (what, sizes), column in zip(measured.items(), axes.T, strict=True):
        for name in dict.fromkeys(name for contenders in sizes.values() for name in contenders):
            points = [(size, contenders[name]) for size, contenders in sizes.items() if contenders.get(name)]
            for axis, of in zip(
                column, (lambda m: statistics.median(m["seconds"]), lambda m: m["bytes"] / 2**20), strict=True
            ):
                axis.loglog([size for size, _ in points], [of(m) for _, m in points], marker="o", label=name)
        column[0].set(title=what, ylabel="seconds, forward and backward")
        column[1].set(xlabel="batch" if what == "NT-Xent" else "T", ylabel="peak memory, MiB")
        column[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the largest sizes too")
    parser.add_argument("--only", choices=["attention", "rotary", "contrastive"])
    parser.add_argument("--runs", type=int, default=9, help="of a small case; a large one has fewer, at least 3")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--out", type=Path, default=TEMPLATE / "build")
    arguments = parser.parse_args()
    arguments.out.mkdir(exist_ok=True)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    lengths = [128, 256, 512, 1024] + [2048, 4096] * arguments.full
    batches = [256, 1024, 4096] + [16384] * arguments.full
    blocks = {
        "attention": attention_cases(lengths, arguments.device),
        "rotary": rotary_cases(lengths, arguments.device),
        "contrastive": contrastive_cases(batches, arguments.device),
    }
    print(
        f"torch {torch.__version__}, {arguments.device}, {arguments.threads} threads, float32; ratios over the best library"
    )
    print(f"{'':<27}{'':<24}{'ms':>10}{'MiB':>10}{'time':>10}{'memory':>10}")
    measured: dict[str, dict[int, dict]] = {}
    for name, cases in blocks.items():
        if arguments.only not in (None, name):
            continue
        for what, size, contenders in cases:
            runs = max(3, arguments.runs * 512 // max(size, 512))
            measured.setdefault(what, {})[size] = result = measure(contenders, runs, arguments.device)
            show(what, size, result)
            (arguments.out / "components.json").write_text(json.dumps(measured, indent=2))  # whatever ends the run
    plot(measured, arguments.out / "components.svg")


if __name__ == "__main__":
    main()
