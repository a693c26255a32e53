"""The data: all equations x / y = z modulo a prime, a random part of them for training."""

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


class InMemory(TensorDataset):
    """Tensors that are indexed a whole batch at a time, which is several times faster than sample by sample."""

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, ...]:
        return self[indices]


def _as_it_is(batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return batch


def division(p: int) -> tuple[Tensor, Tensor]:
    """The equations <x> <÷> <y> <=> <x ÷ y> for 0 ≤ x < p and 0 < y < p, Appendix A.1.1.

    Tokens: the residues are 0 … p − 1, the operation is p, the equality sign p + 1.

    Args:
        p: a prime, so that each y has an inverse.

    Shapes:
        returns what stands before the answer, (p·(p − 1), 4) long, and the answers, (p·(p − 1),) long.
    """
    x, y = torch.cartesian_prod(torch.arange(p), torch.arange(1, p)).unbind(1)  # (p·(p − 1),) each
    inverse = torch.tensor([0] + [pow(int(y), -1, p) for y in range(1, p)])
    equations = torch.stack([x, torch.full_like(x, p), y, torch.full_like(x, p + 1)], dim=1)  # -> (p·(p − 1), 4)
    return equations, x * inverse[y] % p


class PaperDataModule(L.LightningDataModule):
    """A random part of the equations for training, all others for validation, Appendix A.1.1; there is no third split.

    Args:
        p: the modulus.
        fraction: share of the equations that is for training.
        batch_size: B, at most half of the training set, Appendix A.1.2.
        split_seed: of the split.

    Shapes:
        batches of equations without their answers (B, 4) long and answers (B,) long.
    """

    def __init__(self, p: int, fraction: float, batch_size: int, split_seed: int):
        super().__init__()
        self.p, self.fraction, self.batch_size, self.split_seed = p, fraction, batch_size, split_seed

    def setup(self, stage: str | None = None) -> None:
        equations, answers = division(self.p)
        order = torch.randperm(len(answers), generator=torch.Generator().manual_seed(self.split_seed))
        train, val = order.tensor_split([round(self.fraction * len(answers))])
        self.train, self.val = (InMemory(equations[part], answers[part]) for part in (train, val))

    def train_dataloader(self) -> DataLoader:
        return self._loader(self.train, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return self._loader(self.val)

    def _loader(self, dataset: InMemory, shuffle: bool = False) -> DataLoader:
        size = min(self.batch_size, len(self.train) // 2)
        return DataLoader(dataset, size, shuffle=shuffle, collate_fn=_as_it_is)
