"""The data: sets, splits and batches."""

import lightning as L
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


class InMemory(TensorDataset):
    """Tensors that are indexed a whole batch at a time, which is several times faster than sample by sample."""

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, ...]:
        return self[indices]


def _as_it_is(batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return batch


class PaperDataModule(L.LightningDataModule):
    """Handwritten digits of scikit-learn: 1,797 grey images of 8 × 8, scaled to [-1, 1], no download.

    Split once and for all, stratified by class: 1,257 for training, 180 for validation, 360 for test. The split does
    not depend on the seed of the run, so that every seed is tested on the same images. The labels are not used.

    Beside each test image stands an image of the training set: what a perfect sampler could have drawn. The metric of
    those against the test images is the reference for the metric of the samples.

    TODO(paper): the paper's data set and splits.

    Args:
        batch_size: B, per process.
        split_seed: the seed of the split; another one makes another benchmark.
        num_workers: processes that load batches; data in memory needs none.

    Shapes:
        batches of images (B, 1, 8, 8) float in [-1, 1]; in test also of training images (B, 1, 8, 8).
    """

    def __init__(self, batch_size: int, split_seed: int = 0, num_workers: int = 0):
        super().__init__()
        self.batch_size, self.split_seed, self.num_workers = batch_size, split_seed, num_workers

    def setup(self, stage: str | None = None) -> None:
        pixels, labels = load_digits(return_X_y=True)
        images = torch.tensor(pixels / 8 - 1, dtype=torch.float32).view(-1, 1, 8, 8)  # (N, 64) -> (N, 1, 8, 8)
        rest, test = train_test_split(range(len(images)), test_size=360, stratify=labels, random_state=self.split_seed)
        train, val = train_test_split(rest, test_size=180, stratify=labels[rest], random_state=self.split_seed)
        self.train, self.val = InMemory(images[train]), InMemory(images[val])
        self.test = InMemory(images[test], images[train[: len(test)]])

    def train_dataloader(self) -> DataLoader:
        return self._loader(self.train, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return self._loader(self.val)

    def test_dataloader(self) -> DataLoader:
        return self._loader(self.test)

    def _loader(self, dataset: InMemory, shuffle: bool = False) -> DataLoader:
        return DataLoader(
            dataset,
            self.batch_size,
            shuffle=shuffle,
            num_workers=self.num_workers,
            pin_memory=torch.cuda.is_available(),  # copied to the GPU while it computes
            collate_fn=_as_it_is,
        )
