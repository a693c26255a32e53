"""Paragraphs of CPython's documentation."""

from pydoc_data.topics import topics

import lightning as L
import torch
from torch.utils.data import DataLoader


class PaperDataModule(L.LightningDataModule):
    """Paragraphs of the four longest topics, at most 80 characters of each; the topic is the class."""

    def __init__(self, batch_size: int):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str | None = None) -> None:
        longest = sorted(topics, key=lambda name: len(topics[name]))[-4:]
        seen: dict[str, int] = {}
        for label, name in enumerate(longest):
            for part in topics[name].split("\n\n"):
                text = " ".join(part.split())[:80]
                if len(text) > 30:
                    seen.setdefault(text, label)
        pairs = list(seen.items())
        order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(0)).tolist()
        pairs = [pairs[i] for i in order]
        self.train, self.val, self.test = pairs[200:], pairs[:100], pairs[100:200]

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, self.batch_size)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, self.batch_size)
