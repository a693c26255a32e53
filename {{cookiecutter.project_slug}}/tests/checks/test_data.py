"""The data, whatever they are: as ``facts`` of ``configs/paper.yaml`` states them, and no split knows of another."""

import itertools
import math
import multiprocessing
from collections import defaultdict

import pytest
import torch
from conftest import composed, fit
from omegaconf import DictConfig, OmegaConf
from splits import Split, batches, copies, loaders, repeated, rows, shared, stated_size, unaugmented, varies
from torch.utils.data import SequentialSampler

from {{ cookiecutter.package_name }}.harness.training.build import build_data, prepare


def read(cfg: DictConfig) -> tuple[dict[str, list], dict[str, Split]]:
    """The loaders of each split and what they hold, each asked for in the stage in which Lightning asks."""
    prepare(cfg)
    data = build_data(cfg)
    data.prepare_data()
    given = {}
    for stage, splits in {"fit": ("train", "val"), "test": ("test",)}.items():
        data.setup(stage)
        given |= {split: loaders(data, split) for split in splits}
    given = {split: parts for split, parts in given.items() if parts}
    return given, {split: Split.read(parts) for split, parts in given.items()}


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    cfg = composed("experiment=paper").copy()
    cfg.run.dir = str(tmp_path_factory.mktemp("run"))
    return read(cfg)


@pytest.fixture
def given(everything) -> dict[str, list]:
    return everything[0]


@pytest.fixture
def held(everything) -> dict[str, Split]:
    return everything[1]


@pytest.fixture
def facts(cfg) -> dict:
    """What ``facts`` in ``configs/paper.yaml`` states; None for what it does not."""
    return defaultdict(lambda: None, OmegaConf.to_container(cfg.paper.get("facts") or {}, resolve=True))


def inputs_of(held: dict[str, Split]) -> dict[str, torch.Tensor]:
    for split, part in held.items():
        if part.inputs is None:
            pytest.skip(f"{split}: the first tensor of a batch does not hold a row for each sample")
    return {split: part.inputs for split, part in held.items()}


def test_batches_are_finite(held):
    for split, part in held.items():
        for batch in part.batches:
            assert batch, f"{split}: a batch without a tensor"
            assert all(torch.isfinite(part).all() for part in batch if part.is_floating_point()), split


def test_splits_are_as_large_as_stated(facts, held):
    for split, size in (facts["splits"] or {}).items():
        assert split in held, f"data.py gives no {split}_dataloader, but facts.splits states {size} samples"
        if held[split].size is not None:
            assert held[split].size == size, f"{split} has {held[split].size} samples, facts.splits says {size}"


def test_labels_are_as_stated(facts, held):
    if facts["classes"] is None:
        pytest.skip("facts.classes is null")
    for split, part in held.items():
        assert part.labels is not None, f"{split}: facts.classes is given, but batches hold no whole numbers (B,)"
        low, high = part.labels.min(), part.labels.max()
        assert 0 <= low and high < facts["classes"], (
            f"{split}: labels are {low} … {high}, not 0 … {facts['classes'] - 1}"
        )
        shares = torch.bincount(part.labels, minlength=facts["classes"]) / len(part.labels)
        if part.complete:
            assert shares.all(), f"{split} has no sample of class {shares.argmin()}"
        if part.complete and facts["balanced"] is not None:
            off = (shares * facts["classes"] - 1).abs()
            assert off.max() <= facts["balanced"], (
                f"{split}: {shares[off.argmax()]:.1%} are of class {off.argmax()}, more than facts.balanced = "
                f"{facts['balanced']} from 1/{facts['classes']}. Split by class (stratify), or state what the paper has."
            )


def test_no_sample_in_two_splits(facts, given, held):
    inputs = inputs_of(held)
    plain = next(
        (split for split in ("val", "test") if split in given and split not in (facts["augmented_splits"] or [])), None
    )
    if varies(given["train"][0], held["train"].place) and plain:  # as it is augmented, no sample would be found again
        bare = [unaugmented(loader, given[plain][0]) for loader in given["train"]]
        inputs["train"] = Split.read(bare).inputs
        if varies(bare[0], held["train"].place):
            del inputs["train"]
    if min(map(repeated, inputs.values())) > 0.01:
        pytest.skip("in each split samples repeat one another, so that their content does not tell which they are")
    for one, other in itertools.combinations(inputs, 2):
        if inputs[one].shape[1:] == inputs[other].shape[1:]:
            pairs = shared(inputs[one], inputs[other])
            assert len(pairs) <= (facts["shared_samples"] or 0), (
                f"{len(pairs)} samples are in {one} and in {other}, such as number {pairs[0][0]} and {pairs[0][1]} of "
                f"their loaders; facts.shared_samples says {facts['shared_samples']}"
            )
    if "train" not in inputs:
        pytest.skip("training is augmented, also with transform and collate_fn of the others: it was not compared")


def exact(x: torch.Tensor, dims: tuple[int, ...]) -> bool:
    """Whether mean 0 and standard deviation 1 over ``dims`` are nearer than chance comes: a hundredth of its error."""
    std, mean = torch.std_mean(x, dims, correction=0)
    count = x.numel() / std.numel()
    near = min(1e-5, max(1e-6, 0.01 / math.sqrt(count)))
    stds = torch.stack([std, std * math.sqrt(count / max(1, count - 1))])  # divided by N, by N - 1
    varying = std > 1e-6
    return bool((varying.any() and ((mean.abs() < near) & ((stds - 1).abs() < near).any(0))[varying].all()).item())


def in_range(x: torch.Tensor, train: torch.Tensor) -> bool:
    """Whether each feature ends at 0 or -1 and at 1, some of them with one sample that is not of training."""
    low, high = x.amin(0), x.amax(0)
    varying = high > low
    if not any(((low - start).abs() + (high - 1).abs())[varying].max() < 1e-6 for start in (0, -1) if varying.any()):
        return False
    alone = [((x - end).abs() < 1e-6).sum(0) == 1 for end in (low, high)]
    beyond = [(train.amin(0) - low).abs() > 1e-6, (train.amax(0) - high).abs() > 1e-6]
    return int(((alone[0] & beyond[0]) | (alone[1] & beyond[1]))[varying].sum()) >= 2


def test_statistics_are_those_of_training(facts, held):
    """Inputs that are normalised exactly without training, or only together with test, were normalised by that."""
    if facts["normalized_with"] is None:
        pytest.skip("facts.normalized_with is null")
    inputs = {split: x.double() for split, x in inputs_of(held).items() if x.is_floating_point() and x.dim() > 1}
    if inputs.keys() != held.keys() or len({x.shape[1:] for x in inputs.values()}) > 1:
        pytest.skip("inputs are not real numbers of one shape")
    each = inputs["train"][:100].flatten(1)
    if each.shape[1] > 2 and all(exact(sample, (0,)) for sample in each):
        pytest.skip("each sample is normalised by itself")
    for splits in [("val",), ("test",), ("val", "test"), ("train", "test"), ("train", "val", "test")]:
        if not set(splits) <= inputs.keys() or not all(held[split].complete for split in splits):
            continue
        x = torch.cat([inputs[split] for split in splits])
        kinds = {"": tuple(range(x.dim())), " per feature": (0,)}
        if x.dim() > 2:
            kinds[" per channel"] = (0, *range(2, x.dim()))
        if "train" in splits:
            kinds = {kind: dims for kind, dims in kinds.items() if not exact(inputs["train"], dims)}
        found = [kind for kind, dims in kinds.items() if len(x) >= 10 and x.abs().max() > 1 + 1e-6 and exact(x, dims)]
        if in_range(x.flatten(1), inputs["train"].flatten(1)):
            found.append(" to their range, per feature")
        assert not found, (
            f"inputs are normalised{found[0]} by statistics of {' and '.join(splits)}: compute them of train alone"
        )


def test_only_training_is_augmented(facts, given, held):
    for split in held.keys() - set(facts["augmented_splits"] or []):
        for loader in given[split]:
            assert not varies(loader, held[split].place), (
                f"{split}: the input is another one each time it is read. Only training is augmented; or name "
                f"{split} in facts.augmented_splits, or let the sample as it is come first in a batch"
            )


def test_training_is_shuffled(facts, given):
    """Each epoch has its own order; ``facts.shuffled: false`` where the paper's data come in one."""
    if facts["shuffled"] is False:
        pytest.skip("facts.shuffled: false")
    ordered = [loader for loader in given["train"] if type(getattr(loader, "sampler", None)) is SequentialSampler]
    if not any(loader.batch_sampler is not None and len(loader) > 1 for loader in ordered):
        pytest.skip("the order is not that of a DataLoader without shuffle")
    for loader in ordered:
        one, other = (list(itertools.islice(batches([loader]), 3)) for _ in range(2))
        if any(differ(one[:1], [later]) for later in one[1:]):  # no batch that is repeated to make an epoch
            assert differ(one, other), (
                "each epoch takes the samples in the same order: shuffle=True, or facts.shuffled: false"
            )


def test_no_sample_is_left_out_of_measuring(given):
    for split, parts in given.items():
        for loader in parts if split != "train" else []:
            drops = getattr(getattr(loader, "batch_sampler", None), "drop_last", False)
            if drops and (size := stated_size(loader)) is not None:
                rest = size % loader.batch_sampler.batch_size
                assert not rest, f"{split}: drop_last leaves out {rest} of {size} samples, which are not measured"


def first_batches(cfg: DictConfig, **settings) -> list[list[torch.Tensor]]:
    cfg = OmegaConf.merge(cfg, {"data": settings})
    prepare(cfg)
    data = build_data(cfg)
    data.prepare_data()
    data.setup("fit")
    return list(itertools.islice(batches(loaders(data, "train")), 3))


def differ(one: list[list[torch.Tensor]], other: list[list[torch.Tensor]]) -> set[int]:
    """Which tensors of the batches are not the same."""
    assert len(one) == len(other)
    pairs = [enumerate(zip(*parts, strict=True)) for parts in zip(one, other, strict=True)]
    return {i for batch in pairs for i, (a, b) in batch if not torch.equal(a, b)}


def test_same_seed_same_batches(cfg):
    assert not differ(first_batches(cfg), first_batches(cfg)), "the same seed gives other batches"


def test_the_seed_does_not_choose_the_split(cfg, held, facts):
    if "${seed}" in OmegaConf.to_yaml(cfg.data):
        pytest.skip("the configuration of the data refers to ${seed}: a split for each seed is meant")
    cfg.seed += 1
    _, others = read(cfg)
    for split in held.keys() - set(facts["augmented_splits"] or []):
        one, other = (inputs_of({split: parts[split]})[split] for parts in (held, others))
        if held[split].complete and sorted(rows(one)) != sorted(rows(other)):
            pytest.fail(
                f"{split} holds other samples with another seed: split by one of its own, such as data.split_seed"
            )


workers = pytest.mark.skipif(multiprocessing.get_start_method() != "fork", reason="workers take seconds to start")


@workers
@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes")
def test_workers_load_the_same_batches(cfg, given):
    if "num_workers" not in cfg.data:
        pytest.skip("data.py has no num_workers")
    alone = first_batches(cfg, num_workers=0)
    drawn = {i for i in range(len(alone[0])) if varies(given["train"][0], i)}
    for number in (1, 4):
        assert not differ(alone, first_batches(cfg, num_workers=number)) - drawn, (
            f"num_workers={number} loads other batches than num_workers=0"
        )
    if drawn:
        pytest.skip("what is not augmented is the same; augmentation is drawn by the workers, and so depends on them")


@workers
def test_workers_augment_differently(cfg, given):
    """A worker has a copy of the data set, with the state of any generator in it, and each epoch has new workers."""
    prepare(cfg)
    loader = given["train"][0]

    def draws(**settings) -> list[torch.Tensor]:  # of every other batch, which is one worker's, in two epochs
        epochs = [list(batches([copies(loader, **settings)])) for _ in range(2)]
        return [torch.cat([t.flatten().double() for parts in e[k::2] for t in parts]) for e in epochs for k in (0, 1)]

    def alike(draws: list[torch.Tensor]) -> bool:
        return any(torch.equal(one, other) for one, other in itertools.combinations(draws, 2))

    if copies(loader) is None or alike(draws()):
        pytest.skip("loading draws nothing anew")
    assert not alike(draws(num_workers=2)), (
        "with workers, samples are augmented as another worker or an earlier epoch did: draw from torch, which seeds each "
        "worker, or seed your generator in worker_init_fn"
    )


def test_training_takes_the_batches(cfg):
    assert fit(cfg, steps=2).global_step >= 2
