"""The data: sets, splits, views and batches."""

import lightning as L
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Augment(nn.Module):
    """A random view of each image: rotated, scaled, shifted, with a square erased and noise added.

    TODO(paper): the paper's augmentations, in its order.

    Args:
        rotation: largest angle, in degrees, to either side.
        scale: largest change of the size, as a share of it.
        shift: largest shift along each axis, in pixels.
        erased: side of the square that is set to 0, the mean of the data, in pixels.
        noise_std: standard deviation of the Gaussian noise, in those of the data.

    Shapes:
        images (B, C, H, W) float; returns views of the same shape and dtype.
    """

    def __init__(self, rotation: float, scale: float, shift: float, erased: int, noise_std: float):
        super().__init__()
        self.rotation, self.scale, self.shift = rotation, scale, shift
        self.erased, self.noise_std = erased, noise_std

    def forward(self, images: Tensor) -> Tensor:
        views = self._erase(self._move(images))
        return views + self.noise_std * torch.randn_like(views)

    def _move(self, images: Tensor) -> Tensor:
        batch, _, height, width = images.shape
        angle, size, *shift = 2 * torch.rand(4, batch, device=images.device) - 1  # (B,) each
        angle, size = torch.deg2rad(self.rotation * angle), 1 + self.scale * size
        cos, sin = size * angle.cos(), size * angle.sin()
        # affine_grid counts an image as 2 wide and high, so that a pixel is 2 / W
        x, y = 2 * self.shift * shift[0] / width, 2 * self.shift * shift[1] / height
        matrices = torch.stack([cos, -sin, x, sin, cos, y], dim=-1).view(batch, 2, 3)  # (B, 6) -> (B, 2, 3)
        grid = F.affine_grid(matrices.to(images.dtype), list(images.shape), align_corners=False)  # (B, H, W, 2)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _erase(self, images: Tensor) -> Tensor:
        batch, _, height, width = images.shape
        top = torch.randint(height - self.erased + 1, (batch, 1, 1, 1), device=images.device)
        left = torch.randint(width - self.erased + 1, (batch, 1, 1, 1), device=images.device)
        row = torch.arange(height, device=images.device).view(-1, 1) - top  # (B, 1, H, 1)
        column = torch.arange(width, device=images.device) - left  # (B, 1, 1, W)
        inside = (row >= 0) & (row < self.erased) & (column >= 0) & (column < self.erased)  # -> (B, 1, H, W)
        return images.masked_fill(inside, 0.0)


class InMemory(TensorDataset):
    """Tensors that are indexed a whole batch at a time, which is several times faster than sample by sample."""

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, ...]:
        return self[indices]


def _as_it_is(batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return batch


class PaperDataModule(L.LightningDataModule):
    """Handwritten digits of scikit-learn: 1,797 grey images of 8 × 8, 10 classes, no download; two views of each image.

    Split once and for all, stratified by class: 1,257 for training, 180 for validation, 360 for test. The split does
    not depend on the seed of the run, so that every seed is tested on the same images.

    TODO(paper): the paper's data set and splits.

    Args:
        batch_size: B, per process.
        augment: makes a view of each image.
        split_seed: the seed of the split; another one makes another benchmark.
        num_workers: processes that load batches; data in memory needs none.

    Shapes:
        batches of images (B, 1, 8, 8) float, their labels (B,) long, and two views (B, 1, 8, 8) float each. Labels are
        for measuring alone.
    """

    def __init__(self, batch_size: int, augment: nn.Module, split_seed: int = 0, num_workers: int = 0):
        super().__init__()
        self.batch_size, self.augment = batch_size, augment
        self.split_seed, self.num_workers = split_seed, num_workers

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
        return self._loader(self.train, self._with_views, shuffle=True, drop_last=True)  # as many negatives each time

    def val_dataloader(self) -> DataLoader:
        return self._loader(self.val, self._with_views)

    def test_dataloader(self) -> DataLoader:
        return self._loader(self.test, self._with_views)

    def plain_dataloader(self, split: str) -> DataLoader:
        """The images of a split and their labels, each once and in order, without views: what is measured on."""
        return self._loader(getattr(self, split), _as_it_is)

    def _with_views(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        images, labels = batch
        return images, labels, self.augment(images), self.augment(images)

    def _loader(self, dataset: InMemory, collate, **how) -> DataLoader:
        return DataLoader(dataset, self.batch_size, num_workers=self.num_workers, collate_fn=collate, **how)
