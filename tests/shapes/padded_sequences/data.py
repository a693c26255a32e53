"""Words of several lengths."""

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader


class ByLength:
    """Batches of sequences of like lengths, in a new order each epoch if ``shuffle``."""

    def __init__(self, lengths: list[int], batch_size: int, shuffle: bool):
        self.lengths, self.batch_size, self.shuffle = torch.tensor(lengths), batch_size, shuffle

    def __iter__(self):
        noise = torch.rand(len(self.lengths)) if self.shuffle else 0  # exchanges sequences of one length
        batches = torch.argsort(self.lengths + noise, stable=True).split(self.batch_size)
        order = torch.randperm(len(batches)) if self.shuffle else torch.arange(len(batches))
        return (batches[i].tolist() for i in order.tolist())

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)


def collate(samples: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """Tokens and tags (B, T) long, mask (B, T) bool, lengths (B,) long; padded with 0."""
    tokens, tags = (pad_sequence(list(part), batch_first=True) for part in zip(*samples, strict=True))
    return {"tokens": tokens, "tags": tags, "mask": tokens > 0, "lengths": (tokens > 0).sum(1)}


class PaperDataModule(L.LightningDataModule):
    """Words over three letters; a letter's tag says whether it occurs once, twice or more often in its word (K = 3)."""

    def __init__(self, batch_size: int, sizes: dict[str, int], data_seed: int = 0):
        super().__init__()
        self.batch_size, self.sizes, self.data_seed = batch_size, sizes, data_seed

    def setup(self, stage: str | None = None) -> None:
        random, words = np.random.default_rng(self.data_seed), {}
        while len(words) < sum(self.sizes.values()):  # each word once, so no split shares one with another
            word = tuple(random.integers(1, 6, size=random.integers(4, 17)).tolist())
            words[word] = [min(word.count(letter), 3) - 1 for letter in word]
        pairs = iter([(torch.tensor(word), torch.tensor(tags)) for word, tags in words.items()])
        self.splits = {split: [next(pairs) for _ in range(size)] for split, size in self.sizes.items()}

    def _loader(self, split: str) -> DataLoader:
        lengths = [len(tokens) for tokens, _ in self.splits[split]]
        sampler = ByLength(lengths, self.batch_size, shuffle=split == "train")
        return DataLoader(self.splits[split], batch_sampler=sampler, collate_fn=collate)

    def train_dataloader(self) -> DataLoader:
        return self._loader("train")

    def val_dataloader(self) -> DataLoader:
        return self._loader("val")

    def test_dataloader(self) -> DataLoader:
        return self._loader("test")
