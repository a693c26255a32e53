"""The data, whatever they are: finite, the same for the same seed, and no sample in two splits."""

import torch
from conftest import fit
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch.utils._pytree import tree_leaves

from {{ cookiecutter.package_name }}.harness.building import build_data, prepare

LIMIT = 500  # batches of a split that are looked at, the first ones


def loaders(data) -> dict:
    data.setup("test")
    splits = [split for split in ("train", "val", "test") if is_overridden(f"{split}_dataloader", data)]
    return {split: getattr(data, f"{split}_dataloader")() for split in splits}


def batches(loader) -> list[list[torch.Tensor]]:
    return [[leaf for leaf in tree_leaves(batch) if torch.is_tensor(leaf)] for batch, _ in zip(loader, range(LIMIT))]  # noqa: B905


def test_batches_are_finite(data):
    for split, loader in loaders(data).items():
        for batch in batches(loader):
            assert batch, f"{split}: a batch without a tensor"
            assert all(torch.isfinite(part).all() for part in batch if part.is_floating_point()), split


def test_same_seed_same_batches(cfg):
    def first_batches():
        prepare(cfg)
        data = build_data(cfg)
        data.prepare_data()
        data.setup("fit")
        return batches(data.train_dataloader())[:3]

    for one, other in zip(first_batches(), first_batches(), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_no_sample_in_two_splits(data):
    # by content, not by index: the input is the first tensor of a batch
    inputs = {
        split: {sample.numpy().tobytes() for batch in batches(loader) for sample in batch[0]}
        for split, loader in loaders(data).items()
    }
    for one in inputs:
        for other in inputs:
            if one < other:
                shared = len(inputs[one] & inputs[other])
                assert not shared, f"{shared} samples are in {one} and in {other}"


def test_training_takes_the_batches(cfg):
    assert fit(cfg, steps=2).global_step >= 2
