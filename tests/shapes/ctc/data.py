"""Synthetic speech: each label lasts two to four frames."""

import lightning as L
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader


def collate(samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Frames (B, T, D) padded with 0, labels of all sequences in one row (sum,), lengths (B,), lengths of labels (B,)."""
    frames, labels = zip(*samples, strict=True)
    lengths, label_lengths = (torch.tensor([len(x) for x in part]) for part in (frames, labels))
    return pad_sequence(list(frames), batch_first=True), torch.cat(labels), lengths, label_lengths


class PaperDataModule(L.LightningDataModule):
    """500, 100 and 200 utterances of 3 to 6 labels out of K = 5."""

    def __init__(self, batch_size: int, features: int):
        super().__init__()
        self.batch_size, self.features = batch_size, features

    def setup(self, stage: str | None = None) -> None:
        draw = torch.Generator().manual_seed(0)
        code = torch.randn(6, self.features, generator=draw)
        spoken = []
        for _ in range(800):
            labels = torch.randint(1, 6, (int(torch.randint(3, 7, (), generator=draw)),), generator=draw)
            frames = []
            for label in labels.tolist():
                frames += [code[label]] * int(torch.randint(2, 5, (), generator=draw)) + [code[0]]
            frames = torch.stack(frames)
            spoken.append((frames + 0.3 * torch.randn(frames.shape, generator=draw), labels))
        self.train, self.val, self.test = spoken[:500], spoken[500:600], spoken[600:]

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True, collate_fn=collate)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, self.batch_size, collate_fn=collate)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, self.batch_size, collate_fn=collate)
