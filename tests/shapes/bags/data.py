"""Documents of three topics, each a bag of 5 to 20 words."""

from dataclasses import dataclass

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader


@dataclass
class Bags:
    """tokens (sum of lengths,), offsets (B,), labels (B,)."""

    tokens: Tensor
    offsets: Tensor
    labels: Tensor


def collate(samples):
    lengths = torch.tensor([len(words) for words, _ in samples])
    offsets = lengths.cumsum(0) - lengths
    return Bags(torch.cat([words for words, _ in samples]), offsets, torch.tensor([label for _, label in samples]))


class PaperDataModule(L.LightningDataModule):
    """600, 100 and 100 documents."""

    def __init__(self, batch_size: int, words: int):
        super().__init__()
        self.batch_size, self.words = batch_size, words

    def setup(self, stage=None):
        g = torch.Generator().manual_seed(0)
        documents = []
        for k in range(800):
            length = int(torch.randint(5, 21, (), generator=g))
            own = torch.rand(length, generator=g) < 0.6
            word = torch.randint(self.words, (length,), generator=g)
            documents.append((torch.where(own, word // 3 * 3 + k % 3, word).clamp(max=self.words - 1), k % 3))
        self.parts = documents[:600], documents[600:700], documents[700:]

    def train_dataloader(self):
        return DataLoader(self.parts[0], self.batch_size, shuffle=True, collate_fn=collate)

    def val_dataloader(self):
        return DataLoader(self.parts[1], self.batch_size, collate_fn=collate)

    def test_dataloader(self):
        return DataLoader(self.parts[2], self.batch_size, collate_fn=collate)
