"""The data against the facts in ``configs/paper.yaml``, and the independence of the splits from one another."""

import itertools
import math
import multiprocessing
import sys

import pytest
import torch
from conftest import EXPERIMENT, as_given, composed, draws_numbers, first_batch, same, set_up_data
from likeness import near_copies, overlapping, small_groups
from omegaconf import DictConfig, OmegaConf
from splits import (
    Split,
    batches,
    copy_loader,
    equal,
    groups_of,
    loaders,
    number_of_samples,
    pad_alike,
    read_splits,
    repeat_batch,
    repeated,
    rows,
    stated_size,
    unaugmented,
    varies,
)
from torch.utils.data import IterableDataset, RandomSampler, SequentialSampler

from {{ cookiecutter.package_name }}.harness.identity import PACKAGE
from {{ cookiecutter.package_name }}.harness.training.build import prepare


def read(cfg: DictConfig) -> dict[str, Split]:
    prepare(cfg)
    stated = OmegaConf.select(cfg, "paper.facts.splits") or {}  # one may be for calibration
    return read_splits(set_up_data(cfg), [name for name in stated if name not in ("train", "val", "test")])


@pytest.fixture(scope="module")
def splits(tmp_path_factory) -> dict[str, Split]:
    cfg = composed(f"experiment={EXPERIMENT}").copy()
    cfg.run.dir = str(tmp_path_factory.mktemp("run"))
    return read(cfg)


@pytest.fixture
def plain_splits(splits, facts) -> dict[str, Split]:
    """The splits whose samples must not vary; those of training may, if ``facts.augmented_splits`` is null."""
    stated = facts["augmented_splits"]
    return {name: split for name, split in splits.items() if name not in (["train"] if stated is None else stated)}


def inputs_of(splits: dict[str, Split]) -> dict[str, torch.Tensor]:
    for name, split in splits.items():
        if split.inputs is None:
            pytest.skip(f"{name}: the first tensor of a batch does not hold one row per sample")
    return {name: split.inputs for name, split in splits.items()}


def test_batches_are_finite(splits):
    for name, split in splits.items():
        for batch in split.batches:
            assert batch, f"{name}: a batch holds no tensor"
            assert all(torch.isfinite(part).all() for part in batch if part.is_floating_point()), name


def test_splits_are_as_large_as_stated(facts, data, splits):
    for name, size in (facts["splits"] or {}).items():
        assert name in splits, f"facts.splits states {size} samples, but data.py has no {name}_dataloader"
        found, each = splits[name].size, {stated_size(loader) for loader in loaders(data, name)}
        if (mask := splits[name].mask) is not None:
            found = int(mask.sum())
        if found is None and each == {None}:
            pytest.skip(f"{name}: its samples cannot be counted")
        same = found is None or size in {found, *each}  # several loaders may read the same samples, or others besides
        assert same, f"{name} has {found} samples, facts.splits states {size}"


def test_labels_are_as_stated(fact, facts, splits):
    """Of several tensors (N,) of whole numbers, such as labels and lengths, one must be labels."""
    classes = fact("classes")
    for name, split in splits.items():
        found = split.whole_numbers
        if not found:
            pytest.skip(f"{name}: batches hold no whole numbers (B,) that may be labels")
        known = (x[x >= 0] if split.complete else x for x in found)  # -1 is unknown, or a class will be missing
        labels = next((x for x in known if len(x) and 0 <= x.min() and x.max() < classes), None)
        others = [x for x in split.batches[0][split.place + 1 :] if x.dim() > 1 or not x.is_floating_point()]
        if labels is None and len(others) > len(found):
            pytest.skip(f"{name}: labels are not recognised; they may be those of parts of a sample")
        assert labels is not None, f"{name}: labels are {found[0].unique()[:10].tolist()} …, not 0 to {classes - 1}"
        if not split.complete:
            continue
        shares = torch.bincount(labels, minlength=classes) / len(labels)
        assert shares.all(), f"{name} has no sample of class {shares.argmin()}"
        if (stated := facts["balanced"]) is not None:
            worst = (shares * classes - 1).abs().argmax()
            assert abs(shares[worst] * classes - 1) <= stated, (
                f"{name}: class {worst} has {shares[worst]:.1%} of the samples, not 1/{classes} within facts.balanced = {stated}"
            )


@pytest.fixture
def unaugmented_splits(splits, plain_splits) -> dict[str, Split]:
    """The splits without augmentation, under which no sample would be found again; train is left out if it stays."""
    train, plain = splits["train"], plain_splits.get("val") or plain_splits.get("test")
    if not plain or not varies(train.loaders[0], train.place):
        return splits
    train = Split.read([unaugmented(loader, plain.loaders[0]) for loader in train.loaders])
    kept = {name: split for name, split in splits.items() if name != "train"}
    pad_alike([train, *kept.values()])
    return kept if varies(train.loaders[0], train.place) else {"train": train, **kept}


@pytest.fixture
def pairs(unaugmented_splits) -> list[tuple[str, str]]:
    """The names of each two splits whose inputs have one shape, and whose samples are known by their content."""
    # one sample is no split, but stands where all is measured during training
    shapes = {name: x.shape[1:] for name, x in inputs_of(unaugmented_splits).items() if len(x) > 1}
    pairs = [(one, other) for one, other in itertools.combinations(shapes, 2) if shapes[one] == shapes[other]]
    if not pairs or min(repeated(split.contents) for split in unaugmented_splits.values()) > 0.01:
        pytest.skip("no two splits can be compared: their inputs differ in shape, or repeat")
    return pairs


def test_no_sample_in_two_splits(facts, unaugmented_splits, pairs):
    for one, other in pairs:
        split, another = unaugmented_splits[one], unaugmented_splits[other]
        inputs, others = rows(split.inputs), rows(another.inputs)
        alone = max(repeated(inputs), repeated(others)) <= 0.01  # the input identifies a sample
        found = equal(inputs, others) if alone else equal(split.contents, another.contents)
        for a, b in zip(split.masks, another.masks, strict=False):  # the entries of a matrix may be split
            found = [(i, j) for i, j in found if (a[i] & b[j]).any() or not (a[i] | b[j]).any()]
        if (stated := facts["shared_samples"]) is None:  # samples of a few numbers, or bits, may be equal by chance
            few = 16 * max(1, 5 / math.log2(max(2, len(split.inputs[:1000].unique()))))
            found = [(i, j) for i, j in found if len(inputs[i]) >= few * split.inputs.itemsize]
        assert len(found) <= (stated or 0), (
            f"{one} and {other} share {len(found)} samples, such as {found[0]}; facts.shared_samples states {stated or 0}"
        )
    if "train" not in unaugmented_splits:
        pytest.skip("train was not compared: it is augmented even with the transform and collate_fn of another split")


def test_no_node_in_two_splits(facts, splits):
    """Where each split is the same graph, with the mask of its nodes."""
    graphs = {name: split for name, split in splits.items() if split.mask is not None}
    if len(graphs) < 2:
        pytest.skip("no two splits are one graph with masks")
    for one, other in itertools.combinations(graphs.values(), 2):
        both = [(a, b) for a, b in zip(one.batches[0], other.batches[0], strict=True) if a is not one.mask]
        if all(torch.equal(a, b) for a, b in both):
            shared = int((one.mask & other.mask).sum())
            assert shared <= (facts["shared_samples"] or 0), f"two of {[*graphs]} share {shared} nodes of the graph"


def test_no_near_copy_in_two_splits(unaugmented_splits, pairs):
    """No split holds another's images cropped, flipped or re-encoded, or windows that overlap another's."""
    for one, other in pairs:
        split, another = unaugmented_splits[one], unaugmented_splits[other]
        inputs, same = split.inputs, {j for _, j in equal(rows(split.inputs), rows(another.inputs))}
        others = another.inputs[[j for j in range(len(another.inputs)) if j not in same]]
        if not len(others):
            continue
        share = near_copies(inputs, others)
        assert share < 0.05, (
            f"{share:.0%} of {other} are images of {one}, cropped, flipped or encoded again. Split first"
        )
        share = max(overlapping(inputs, others, dim) for dim in (1, inputs.dim() - 1))
        assert share < 0.5, (
            f"{share:.0%} of the windows of {other} overlap with {one}. Split the series, then cut windows"
        )


def test_no_group_in_two_splits(fact, splits):
    """Each group of ``facts.groups``, such as a patient, is in one split only."""
    stated, groups = fact("groups", "none"), {}
    for name, split in splits.items():
        datasets = [getattr(loader, "dataset", None) for loader in split.loaders]
        groups[name] = {group for dataset in datasets for group in groups_of(dataset, stated)}
    for one, other in itertools.combinations(groups, 2):
        both = groups[one] & groups[other]
        assert not both, (
            f"{one} and {other} share {len(both)} of the {len(groups[other])} groups of {other} ({stated}), such as "
            f"{min(both)}. Split by group"
        )


def test_labels_are_not_those_of_small_groups(facts, unaugmented_splits, pairs):
    """If ``facts.groups`` is null, patients with one label and images in two splits are found by similarity."""
    if facts["groups"] is not None:
        pytest.skip(f"facts.groups is {facts['groups']}")
    for one, other in pairs:
        split, another = unaugmented_splits[one], unaugmented_splits[other]
        if not split.whole_numbers or not another.whole_numbers:
            pytest.skip("batches hold no labels of classes (B,)")
        share = small_groups(split.inputs, split.whole_numbers[0], another.inputs, another.whole_numbers[0])
        assert not share, (
            f"samples of {other} share the label of their nearest neighbours in {one} ({share:.0%} above chance), but not of "
            f"those a little farther away: {one} and {other} seem to share groups, such as patients, speakers or documents. "
            "Split by group and name the groups in facts.groups, or set it to none if such groups are the classes"
        )


def is_standardized(x: torch.Tensor, dims: tuple[int, ...]) -> bool:
    """Whether mean 0 and standard deviation 1 over ``dims`` are 100 times closer than by chance."""
    std, mean = torch.std_mean(x, dims, correction=0)
    count = x.numel() / std.numel()
    near = min(1e-5, max(1e-6, 0.01 / math.sqrt(count)))
    stds = torch.stack([std, std * math.sqrt(count / max(1, count - 1))])  # divided by N and by N - 1
    varying = std > 1e-6
    return bool((varying.any() and ((mean.abs() < near) & ((stds - 1).abs() < near).any(0))[varying].all()).item())


def fills_range(x: torch.Tensor, train: torch.Tensor) -> bool:
    """Whether each feature ranges from 0 or -1 to 1, and a sample outside the range of training decides some of them."""
    low, high = x.amin(0), x.amax(0)
    varying = high > low
    if not any(((low - start).abs() + (high - 1).abs())[varying].max() < 1e-6 for start in (0, -1) if varying.any()):
        return False
    alone = [((x - end).abs() < 1e-6).sum(0) == 1 for end in (low, high)]
    beyond = [(train.amin(0) - low).abs() > 1e-6, (train.amax(0) - high).abs() > 1e-6]
    return int(((alone[0] & beyond[0]) | (alone[1] & beyond[1]))[varying].sum()) >= 2


def series_of(split: Split) -> torch.Tensor | None:
    """The steps (N, C) of a series that inputs, and targets beside them, (B, T, C) are windows of."""
    windows = [
        x for parts in split.batches for x in parts[split.place :] if x.is_floating_point() and x.dim() in (2, 3)
    ]
    size = windows[0].shape[2:] or (1,) if windows else ()
    most = 20_000_000 if size > (1,) else 2_000_000  # single numbers, also of a table, take longer to compare
    if len({x.shape[2:] for x in windows}) != 1 or sum(x.numel() for x in windows) > most:
        return None
    return torch.cat([x.double().reshape(-1, *size).unique(dim=0) for x in windows]).unique(dim=0)


def test_statistics_are_those_of_training(fact, splits):
    """Another split than train must not be normalised exactly: then its own samples would have been used for it."""
    fact("normalized_with")
    inputs = {name: x.double() for name, x in inputs_of(splits).items() if x.is_floating_point() and x.dim() > 1}
    if inputs.keys() != splits.keys() or len({x.shape[1:] for x in inputs.values()}) > 1:
        pytest.skip("inputs are not real numbers of one shape")
    few = {name: x.flatten()[:: 1 + x.numel() // 100_000].sort().values for name, x in inputs.items()}
    spread = {name: (x[len(x) * 9 // 10] - x[len(x) // 10]).item() for name, x in few.items()}  # outliers do not matter
    ratio = spread["train"] / spread["val"] if spread.get("val") and spread["train"] else 1
    assert 0.4 < ratio < 2.5, (
        f"train is spread {ratio:.3g} times as wide as val. Are both normalised, by the same statistics?"
    )
    each = inputs["train"][:100].flatten(1)
    if each.shape[1] > 2 and all(is_standardized(sample, (0,)) for sample in each):
        pytest.skip("each sample is normalised by itself")
    real = {name: [x.double() for x in split.beside if x.is_floating_point()] for name, split in splits.items()}
    targets = [("targets", dict(zip(real, column, strict=True))) for column in zip(*real.values(), strict=False)]
    series = "the steps of the series", {name: series_of(split) for name, split in splits.items()}
    others = [name for name in splits if name != "train"]
    several = [names for n in range(len(others)) for names in itertools.combinations(others, n + 1)]
    sources = [*several, *(("train", *names) for names in several if "test" in names)]
    for (what, columns), names in itertools.product([("inputs", inputs), *targets, series], sources):
        parts = [columns.get(name) for name in ("train", *names)]
        shapes = {None if x is None else x.shape[1:] for x in parts}
        if shapes == {None} or len(shapes) > 1 or not all(splits[name].complete for name in names):
            continue
        train, x = parts[0], torch.cat(parts[1:])
        if what == series[0]:  # windows of a split may begin before it
            x = x.unique(dim=0)
        kinds = {"": tuple(range(x.dim())), " per feature": (0,), " per channel": (0, *range(2, x.dim()))}
        alone = {kind: dims for kind, dims in kinds.items() if "train" not in names or not is_standardized(train, dims)}
        enough = len(x) >= 10 and x.abs().max() > 1 + 1e-6
        found = [kind for kind, dims in alone.items() if enough and is_standardized(x, dims)]
        if what == "inputs" and fills_range(x.flatten(1), train.flatten(1)):
            found.append(" to their range, per feature")
        assert not found, (
            f"{what} are normalised{found[0]} by statistics of {' and '.join(names)}. Use those of train alone"
        )


ONE_DATA_SET = "Where subsets read one data set object, it has one transform for all of them: give each split its own"


def test_only_training_is_augmented(plain_splits):
    for name, split in plain_splits.items():
        for loader in split.loaders:
            if name == "train" and repeat_batch(loader) is None:
                continue  # a stream, as of rollouts, which begins anew each time
            assert not varies(loader, split.place), (
                f"{name}: the input changes each time it is read, but facts.augmented_splits does not name {name}. "
                f"Read it without the transform, or with the unchanged sample first; or name it there. {ONE_DATA_SET}"
            )


def test_training_is_augmented(data, batch, fact, splits, untrained):
    """Where ``facts.augmented_splits`` names train: by the loader, a hook of Lightning, or random numbers in ``step``."""
    if "train" not in fact("augmented_splits"):
        pytest.skip("facts.augmented_splits does not name train")
    train = splits["train"]
    twice = [as_given(data, loaded) for loaded in [first_batch(data.train_dataloader())] * 2]
    if not same(*twice) or any(varies(x, place) for x in train.loaders for place in range(len(train.batches[0]))):
        return
    if any(repeat_batch(loader) is None for loader in train.loaders):
        pytest.skip("training reads a stream, whose samples may differ from epoch to epoch")
    untrained.train()
    for module in untrained.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):
            module.p = 0.0
    if draws_numbers(untrained, batch):
        pytest.skip("PaperProcedure.step draws random numbers, which may be the augmentation")
    pytest.fail(
        "train: each sample is the same whenever it is read, but facts.augmented_splits states that it is augmented. "
        f"Give the data set of train_dataloader the transform. {ONE_DATA_SET}"
    )


def test_each_sample_is_augmented_by_itself(splits):
    """If a sample varies from batch to batch, its 16 copies in one batch are not all the same."""
    loader = splits["train"].loaders[0]
    if repeat_batch(loader) is None:
        pytest.skip("training does not read samples by their index")
    one, other = batches([copy_loader(loader, batch_size=16, sampler=[0] * 32)])
    for a, b in zip(one, other, strict=True):
        drawn = a.shape == b.shape and a.shape[:1] == (16,) and not torch.equal(a, b)
        assert not drawn or (a != a[:1]).any(), (
            "one random change is drawn for all samples of a batch. Draw it for each: torch.rand(len(images)), not torch.rand(())"
        )


def test_training_is_shuffled(cfg, facts, splits, trained):
    """Each epoch has its own order, unless ``facts.shuffled`` is false."""
    trainer = trained[0]
    steps_per_epoch = trainer.num_training_batches / trainer.accumulate_grad_batches
    if facts["shuffled"] is False or cfg.trainer.max_epochs == 1 or 0 < cfg.trainer.max_steps <= steps_per_epoch:
        pytest.skip("facts.shuffled is false, or the training has one epoch")
    known = [x for x in splits["train"].loaders if type(getattr(x, "sampler", 0)) in (RandomSampler, SequentialSampler)]
    if not any(loader.batch_sampler is not None and len(loader) > 1 for loader in known):
        pytest.skip("training has one batch, or a sampler of its own")
    for loader in known:
        one, other = (list(itertools.islice(batches([loader]), 3)) for _ in range(2))
        other_later = set().union(*(differ(one[:1], [later]) for later in one[1:]))  # none: one batch, repeated
        assert other_later <= differ(one, other), (  # augmentation changes the inputs, and leaves the labels
            "each epoch reads the samples in the same order. Set shuffle=True, or facts.shuffled to false"
        )


def test_no_sample_is_left_out_of_measuring(splits):
    for name, split in splits.items():
        for loader in split.loaders if name != "train" else []:
            drops = getattr(getattr(loader, "batch_sampler", None), "drop_last", False)
            if drops and (size := stated_size(loader)) is not None:
                rest = size % loader.batch_sampler.batch_size
                assert not rest, f"{name}: drop_last leaves {rest} of {size} samples unmeasured"


def differ(one: list[list[torch.Tensor]], other: list[list[torch.Tensor]]) -> set[int]:
    """Which tensors of the batches differ."""
    assert len(one) == len(other)
    pairs = [enumerate(zip(*parts, strict=True)) for parts in zip(one, other, strict=True)]
    return {i for batch in pairs for i, (a, b) in batch if not torch.equal(a, b)}


def has_text(x) -> bool:
    return isinstance(x, str | bytes) or (isinstance(x, tuple) and any(map(has_text, x)))


def test_the_seed_does_not_choose_the_split(cfg, plain_splits, monkeypatch):
    """Nor does Python, whose hash() of a text is another in each process."""
    if "${seed}" in OmegaConf.to_yaml(cfg.data):
        pytest.skip("the data config refers to ${seed}, so each seed has its own split on purpose")
    for name, module in [*sys.modules.items()]:
        if name.startswith(f"{PACKAGE.name}.") and ".harness" not in name:
            monkeypatch.setattr(module, "hash", lambda x: hash((x, 1) if has_text(x) else x), raising=False)
    cfg.seed += 1
    others = read(cfg)
    for name, split in plain_splits.items():
        if any(varies(loader, split.place) for loader in split.loaders):
            continue  # see test_only_training_is_augmented
        one, other = (inputs_of({name: part})[name] for part in (split, others[name]))
        assert not split.complete or sorted(rows(one)) == sorted(rows(other)), (
            f"{name} holds other samples with another seed, or in another process of Python, where hash() of a text is "
            "another. Give the split a seed of its own, such as data.split_seed"
        )


workers = pytest.mark.skipif(multiprocessing.get_start_method() != "fork", reason="workers take seconds to start")


@workers
def test_workers_share_a_stream(cfg):
    """Each sample of an ``IterableDataset`` is read by one of the workers."""
    counts = []
    for number in (0, 2) if "num_workers" in cfg.data else ():
        cfg.data.num_workers = number
        loader = loaders(set_up_data(cfg), "train")[0]
        if isinstance(getattr(loader, "dataset", None), IterableDataset):
            counts.append(sum(map(number_of_samples, itertools.islice(batches([loader]), 200))))
    if not counts:
        pytest.skip("training reads no stream by workers")
    assert counts[1] < 1.5 * counts[0], (
        f"two workers read {counts[1]} samples, one {counts[0]}. Let each read its share: torch.utils.data.get_worker_info()"
    )


@workers
def test_workers_augment_differently(cfg, splits):
    """Each epoch starts new workers; each gets the same copy of the data set, and of any generator in it."""
    prepare(cfg)
    loader = splits["train"].loaders[0]

    def draws(**settings) -> list[torch.Tensor]:  # every other batch is from one worker; two epochs
        epochs = [list(batches([repeat_batch(loader, **settings)])) for _ in range(2)]
        return [torch.cat([t.flatten().double() for parts in e[k::2] for t in parts]) for e in epochs for k in (0, 1)]

    def any_equal(draws: list[torch.Tensor]) -> bool:
        return any(torch.equal(one, other) for one, other in itertools.combinations(draws, 2))

    if repeat_batch(loader) is None or any_equal(draws()):
        pytest.skip("loading draws no random numbers")
    assert not any_equal(draws(num_workers=2)), (
        "two workers or two epochs augment alike. Draw from torch, or seed your generator in worker_init_fn"
    )
