"""How the checks read any data: batches may be nested in any way, and samples are recognised by their content.

The input is the first tensor of a batch with more than one number per sample: the images, for example, not the labels.
"""

import copy
import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass

import pytest
import torch
from hydra.utils import get_method
from lightning import LightningDataModule
from lightning.pytorch.utilities import CombinedLoader
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor
from torch.distributions import Distribution
from torch.utils._pytree import tree_leaves
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset

MAX_BATCHES, MAX_SAMPLES, MAX_NUMBERS = 500, 100_000, 50_000_000  # how much of a split is read


def tensors(batch) -> list[Tensor]:
    """The tensors of a nested batch or output, in order; a nested tensor is padded, a sparse one gives indices and values."""
    if torch.is_tensor(batch) and batch.is_nested:
        batch = torch.nested.to_padded_tensor(batch, 0)
    if torch.is_tensor(batch) and batch.is_sparse:
        batch = batch.coalesce()
        return [batch.indices(), batch.values()]
    if torch.is_tensor(batch):
        return [torch.view_as_real(batch) if batch.is_complex() else batch]
    if hasattr(batch, "to_dict"):
        batch = batch.to_dict()
    if isinstance(batch, Mapping | Distribution) or is_dataclass(batch):
        batch = (batch if isinstance(batch, Mapping) else vars(batch)).values()
    elif not isinstance(batch, list | tuple):
        return []
    return [tensor for part in batch for tensor in tensors(part)]


def number_of_samples(batch) -> int:
    return next((leaf.shape[0] for leaf in tensors(batch) if leaf.dim()), 1)


def has_rows(batch) -> bool:
    """Whether each tensor of a batch has one row per sample; square ones, such as a mask (T, T), need not."""
    square, others = set(), []  # but (N, N) beside (N, F) is the adjacency of a graph, whose nodes are no samples
    for part in filter(Tensor.dim, tensors(batch)):
        square.add(len(part)) if part.shape[1:] == (len(part),) else others.append(part)
    lengths = {len(part) for part in others}
    return len(lengths) <= 1 and not (square & lengths and any(part.dim() > 1 for part in others))


def require_rows(batch) -> int:
    """The number of samples; the test is skipped where a batch has no dimension of samples, as a batch of graphs."""
    if not has_rows(batch) or any(isinstance(leaf, str) for leaf in tree_leaves(batch)):
        pytest.skip("the tensors of a batch do not each have one row per sample")
    return number_of_samples(batch)


def change_rows(batch, change, samples: int):
    """The batch, with ``change`` applied to each tensor that has one row per sample."""
    return apply_to_collection(batch, Tensor, lambda leaf: change(leaf) if leaf.shape[:1] == (samples,) else leaf)


def loaders(data, split: str) -> list:
    """The loaders of a split, usually one; none if the paper has no such split."""
    name = f"{split}_dataloader"
    if not hasattr(data, name) or (hasattr(LightningDataModule, name) and not is_overridden(name, data)):
        return []
    given = getattr(data, name)()
    return given.flattened if isinstance(given, CombinedLoader) else tree_leaves(given)


def batches(given: Iterable) -> Iterator[list[Tensor]]:
    """The tensors of each batch, as many as ``MAX_…`` allow."""
    samples = numbers = 0
    for count, batch in enumerate(itertools.chain(*given), start=1):
        yield (parts := tensors(batch))
        samples += number_of_samples(parts)
        numbers += sum(part.numel() for part in parts)
        if samples > MAX_SAMPLES or numbers > MAX_NUMBERS or (count >= MAX_BATCHES and samples >= 10 * MAX_BATCHES):
            return


def stated_size(loader) -> int | None:
    """The number of samples of a loader; None if it does not say."""
    if getattr(loader, "batch_sampler", None) is None or not hasattr(loader.sampler, "__len__"):
        return None
    return len(loader.sampler)


def reads_by_index(x) -> bool:
    return isinstance(x, DataLoader) and x.batch_sampler is not None and not isinstance(x.dataset, IterableDataset)


def copy_loader(loader, **settings):
    """A copy of the loader with all samples, no workers and these settings; the loader itself if it cannot be copied.

    Where a ``batch_sampler`` of the paper's own groups the samples, the copy reads them one by one, without padding.
    """
    if not reads_by_index(loader):
        return loader
    sampler = loader.sampler if loader.batch_size else list(itertools.chain(*loader.batch_sampler))
    if getattr(sampler, "replacement", False):
        sampler = None  # each sample once
    like = {"dataset": loader.dataset, "batch_size": loader.batch_size or 1, "sampler": sampler}
    return DataLoader(**like | {"collate_fn": loader.collate_fn, "worker_init_fn": loader.worker_init_fn} | settings)


def repeat_batch(loader, **settings):
    """A loader of 12 batches with the same samples; None if the loader does not read samples by index."""
    if not reads_by_index(loader):
        return None
    few = min(8, len(loader.dataset))
    return copy_loader(loader, batch_size=few, sampler=12 * list(range(few)), **settings)


def varies(loader, place: int) -> bool:
    """Whether the tensor at ``place`` in a batch changes each time it is read."""
    repeats = repeat_batch(loader)
    read = batches([repeats]) if repeats else (next(batches([loader])) for _ in range(2))
    first, *others = [parts[place] for parts in read if place < len(parts)]
    return any(not torch.equal(first, other) for other in others)


def groups_of(dataset, name: str) -> list:
    """The group of each sample, by an attribute or column of the data set, or by a function of it."""
    if hasattr(dataset, "dataset") and hasattr(dataset, "indices"):
        groups = groups_of(dataset.dataset, name)
        return [groups[i] for i in dataset.indices]
    if isinstance(dataset, ConcatDataset):
        return [group for part in dataset.datasets for group in groups_of(part, name)]
    column = name in (getattr(dataset, "column_names", None) or [])
    assert "." in name or column or hasattr(dataset, name), (
        f"facts.groups is {name}, but {type(dataset).__name__} has no attribute or column {name}"
    )
    groups = get_method(name)(dataset) if "." in name else dataset[name] if column else getattr(dataset, name)
    assert len(groups) == len(dataset), f"facts.groups: {name} has {len(groups)} groups for {len(dataset)} samples"
    return groups.tolist() if hasattr(groups, "tolist") else list(groups)


def unaugmented(loader, plain):
    """A copy of the loader with the transform and the ``collate_fn`` of ``plain``, which does not augment."""
    dataset = inner = copy.copy(loader.dataset)
    theirs = plain.dataset
    while hasattr(inner, "dataset"):  # of a Subset
        inner.dataset = inner = copy.copy(inner.dataset)
    while hasattr(theirs, "dataset"):
        theirs = theirs.dataset
    if hasattr(inner, "transform") and hasattr(theirs, "transform"):
        inner.transform = theirs.transform
    return copy_loader(loader, dataset=dataset, collate_fn=plain.collate_fn)


@dataclass
class Split:
    """What was read from a split."""

    loaders: list  # those that it was read from
    batches: list[list[Tensor]]  # the tensors of each batch
    complete: bool  # whether all batches were read
    size: int | None  # the number of samples; None if it is unknown

    @classmethod
    def read(cls, loaders: list) -> "Split":
        given = itertools.chain(*map(copy_loader, loaders))
        read, sizes = list(batches([given])), [stated_size(loader) for loader in loaders]
        complete = next(given, None) is None
        known = complete and all(map(has_rows, read))
        size = sum(sizes) if None not in sizes else sum(map(number_of_samples, read)) if known else None
        return cls(loaders, read, complete, size)

    @property
    def place(self) -> int:
        """The index of the input among the tensors of a batch."""
        return next((i for i, part in enumerate(self.batches[0]) if part.dim() and part[:1].numel() > 1), 0)

    @property
    def mask(self) -> Tensor | None:
        """Which nodes (N,) are in the split, where its one batch is a graph; None elsewhere."""
        whole = self.complete and len(self.batches) == 1 and not has_rows(self.batches[0])
        found = [x for x in self.batches[0] if x.dtype == torch.bool and x.dim() == 1] if whole else []
        return found[0] if len(found) == 1 else None

    @functools.cached_property
    def inputs(self) -> Tensor | None:
        """The inputs (N, …) in the order of reading; None if rows are not samples, or samples differ in shape."""
        if not all(map(has_rows, self.batches)):
            return None
        parts = [parts[self.place] for parts in self.batches if parts]
        if not parts or parts[0].dim() == 0 or len({part.shape[1:] for part in parts}) > 1:
            return None
        inputs = torch.cat(parts)
        return None if self.size and len(inputs) > self.size else inputs

    @functools.cached_property
    def masks(self) -> list[Tensor]:
        """The tensors (N, …) that mark entries of the inputs, such as the observed ones."""
        like = [[x for x in parts if x.shape[1:] == self.inputs.shape[1:]] for parts in self.batches]
        return [x.bool() for x in map(torch.cat, zip(*like, strict=False)) if ((x == 0) | (x == 1)).all()]

    @functools.cached_property
    def contents(self) -> list[bytes]:
        """All tensors of each sample, where ``inputs`` is known."""
        each = [zip(*map(rows, filter(Tensor.dim, parts)), strict=False) for parts in self.batches]
        return [b"|".join(sample) for samples in each for sample in samples]

    @property
    def beside(self) -> list[Tensor]:
        """The tensors (N, …) after the input, such as labels, targets or lengths."""
        columns = [*zip(*(parts[: self.place : -1] for parts in self.batches), strict=False)]
        columns.reverse()  # a list may come first
        found = [torch.cat(x) for x in columns if x[0].dim() and len({part.shape[1:] for part in x}) == 1]
        size = self.size if self.complete else None
        return [x for x in found if len(x) == (size or len(x))]

    @property
    def whole_numbers(self) -> list[Tensor]:
        """Those with one whole number per sample: labels, or lengths and the like."""
        return [x for x in self.beside if x.dim() == 1 and not x.is_floating_point()]


def pad_alike(splits: Iterable[Split]) -> None:
    """Give sequences of whole numbers (B, T) one length in all batches, with the padding that they have already."""
    read = [parts for split in splits for parts in split.batches]
    for i, column in enumerate(zip(*read, strict=False)):
        if any(x.dim() != 2 or x.is_floating_point() for x in column) or len({x.shape[1] for x in column}) == 1:
            continue
        inner = torch.cat([x[:, :-1][x[:, 1:] != x[:, :-1]].unique() for x in column])  # what another value follows
        last = torch.cat([x[:, -1:].flatten() for x in column]).long()  # none of an empty sequence
        last = last[~torch.isin(last, inner.long())]
        value = last.mode().values.item() if len(last) else int(inner.max()) + 1  # no padding is seen: one of our own
        length = max(x.shape[1] for x in column)
        for parts, x in zip(read, column, strict=True):
            parts[i] = torch.nn.functional.pad(x, (0, length - x.shape[1]), value=value)


def read_splits(data, others: Iterable[str] = ()) -> dict[str, Split]:
    """What train, val, test and ``others`` hold; each is set up in the stage in which Lightning asks for it."""
    given = {split: loaders(data, split) for split in ("train", "val")}
    data.setup("test")
    given |= {split: loaders(data, split) for split in ("test", *others)}
    splits = {split: Split.read(parts) for split, parts in given.items() if parts}
    pad_alike(splits.values())
    return splits


def rows(inputs: Tensor) -> list[bytes]:
    """The content of each sample; of a sequence, without the constant end, which may be padding."""
    flat = inputs.flatten(1) if inputs.dim() > 1 else inputs[:, None]
    values = (flat.float() if flat.is_floating_point() else flat).numpy()
    if flat.is_floating_point() or inputs.dim() > 2:
        return [row.tobytes() for row in values]
    ends = ((values != values[:, -1:]) * range(1, values.shape[1] + 1)).max(1) + 1
    return [row[:end].tobytes() for row, end in zip(values, ends, strict=True)]


def repeated(samples: list[bytes]) -> float:
    """The share of samples that repeat an earlier one."""
    return 1 - len(set(samples)) / max(1, len(samples))


def equal(one: list[bytes], other: list[bytes]) -> list[tuple[int, int]]:
    """The pairs of equal samples."""
    where = {row: i for i, row in enumerate(one)}
    return [(where[row], j) for j, row in enumerate(other) if row in where]
