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
    """Handwritten digits of scikit-learn: 1,797 grey images of 8 × 8, 10 classes, no download.

    Split once and for all, stratified by class: 1,257 for training, 180 for validation, 360 for test. The split does
    not depend on the seed of the run, so that every seed is tested on the same images.

    TODO(paper): the paper's data set and splits.

    Args:
        batch_size: B, per process.
        split_seed: the seed of the split; another one makes another benchmark.
        num_workers: processes that load batches; data in memory needs none.

    Shapes:
        batches of images (B, 1, 8, 8) float and labels (B,) long.
    """

    def __init__(self, batch_size: int, split_seed: int = 0, num_workers: int = 0):
        super().__init__()
        self.batch_size, self.split_seed, self.num_workers = batch_size, split_seed, num_workers

    def setup(self, stage: str | None = None) -> None:
        pixels, labels = load_digits(return_X_y=True)
        x, x_test, y, y_test = train_test_split(
            pixels, labels, test_size=360, stratify=labels, random_state=self.split_seed
        )
        x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=180, stratify=y, random_state=self.split_seed)
        # Statistics of the training images only: those of validation and test are not known beforehand
        mean, std = x_train.mean(), x_train.std()

        def dataset(x, y) -> InMemory:
            images = torch.tensor((x - mean) / std, dtype=torch.float32)
            return InMemory(images.view(-1, 1, 8, 8), torch.tensor(y))  # (N, 64) -> (N, 1, 8, 8)

        self.train, self.val, self.test = dataset(x_train, y_train), dataset(x_val, y_val), dataset(x_test, y_test)

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
