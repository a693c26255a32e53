"""Users who like items of their own group; the last two of each user are for validation and test."""

import lightning as L
import torch
from torch.utils.data import DataLoader, Dataset


class Pairs(Dataset):
    """(user, liked, not liked); the latter is drawn anew each time."""

    def __init__(self, seen, items):
        self.seen, self.items = seen, items
        self.pairs = [(u, i) for u, liked in enumerate(seen) for i in liked]

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, k):
        user, item = self.pairs[k]
        while (other := int(torch.randint(self.items, ()))) in self.seen[user]:
            pass
        return user, item, other


class Held(Dataset):
    """(user, candidates), the held-out item first."""

    def __init__(self, held, others):
        self.held, self.others = held, others

    def __len__(self):
        return len(self.held)

    def __getitem__(self, user):
        return user, torch.tensor([self.held[user], *self.others[user]])


class PaperDataModule(L.LightningDataModule):
    """100 users, 80 items."""

    def __init__(self, batch_size: int, users: int, items: int):
        super().__init__()
        self.batch_size, self.users, self.items = batch_size, users, items

    def setup(self, stage=None):
        g = torch.Generator().manual_seed(0)
        liked = []
        for u in range(self.users):
            own = torch.arange(self.items)[torch.arange(self.items) % 4 == u % 4]
            liked.append(own[torch.randperm(len(own), generator=g)[:12]].tolist())
        self.train = Pairs([set(own[:-2]) for own in liked], self.items)
        others = [[i for i in range(self.items) if i not in own] for own in liked]
        self.val = Held([own[-2] for own in liked], [o[:50] for o in others])
        self.test = Held([own[-1] for own in liked], [o[:50] for o in others])

    def train_dataloader(self):
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val, self.batch_size)

    def test_dataloader(self):
        return DataLoader(self.test, self.batch_size)
