"""The data: sets, splits and batches."""

import functools
import hashlib
import sys
from collections import Counter
from pydoc_data.topics import topics

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

UNKNOWN = 0  # number of <unk>
IGNORED = -100  # a target that is not to be predicted, as in ``torch.nn.functional.cross_entropy``


class Vocabulary:
    """The commonest characters of a text, by number; all others share number 0, <unk>.

    Args:
        text: that of the training split.
        size: V, <unk> included.
    """

    def __init__(self, text: str, size: int):
        counts = Counter(text)
        common = sorted(counts, key=lambda character: (-counts[character], character))[: size - 1]
        self.characters = ["\N{REPLACEMENT CHARACTER}", *common]  # <unk> is one character where it is printed
        self.numbers = torch.full((sys.maxunicode + 1,), UNKNOWN)  # by code point
        self.numbers[[ord(character) for character in common]] = torch.arange(1, len(common) + 1)

    def encode(self, text: str) -> Tensor:
        """The numbers of the characters, (len(text),) long."""
        return self.numbers[torch.frombuffer(bytearray(text, "utf-32-le"), dtype=torch.int32)]

    def decode(self, numbers: Tensor) -> str:
        """The text of numbers (N,) long."""
        return "".join(self.characters[number] for number in numbers.tolist())


def distinct(texts: dict[str, str], passage: int) -> dict[str, str]:
    """The texts, longest first, without those that share ``passage`` consecutive characters with one before.

    Topics quote one another, up to whole chapters. Of a text shorter than ``passage``, all of it counts.
    """
    kept, seen = {}, set()
    for name in sorted(texts, key=lambda name: (-len(texts[name]), name)):
        text = texts[name]
        passages = {hash(text[i : i + passage]) for i in range(max(1, len(text) - passage + 1))}
        if seen.isdisjoint(passages):
            kept[name] = text
            seen |= passages
    return kept


@functools.cache  # asked for by every stage of a run, and always the same
def documentation(passage: int) -> dict[str, str]:
    """The topics of the running Python's ``help()`` by name, as far as they are ``distinct``."""
    return distinct(topics, passage)


def split_of(topic: str, seed: int) -> str:
    """train, val or test, in the ratio 8 : 1 : 1: a hash of the name, whatever other topics there are."""
    digest = hashlib.sha256(f"{seed}:{topic}".encode()).digest()
    return {0: "test", 1: "val"}.get(int.from_bytes(digest, "big") % 10, "train")


def windows(numbers: Tensor, context: int, lead: int = 0) -> tuple[Tensor, Tensor]:
    """Cut a text into windows, so that each of its characters but the first is the target once.

    Args:
        numbers: N ≥ 2 characters.
        context: T, length of a window.
        lead: characters before the first target of a window, so that it is not predicted from nothing; < T. The first
            window of a text has none to give.

    Shapes:
        numbers (N,) long; returns inputs (n, T) and targets (n, T) long, the targets one character further.
    """
    stride, pairs = context - lead, len(numbers) - 1
    overhang = max(context - pairs, (lead - pairs) % stride)  # of the last window
    inputs = F.pad(numbers[:-1], (0, overhang), value=UNKNOWN).unfold(0, context, stride)  # (N,) -> (n, T)
    targets = F.pad(numbers[1:], (0, overhang), value=IGNORED).unfold(0, context, stride).clone()  # (N,) -> (n, T)
    targets[1:, :lead] = IGNORED
    return inputs, targets


class InMemory(TensorDataset):
    """Tensors that are indexed a whole batch at a time, which is several times faster than sample by sample."""

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, ...]:
        return self[indices]


def _as_it_is(batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return batch


class PaperDataModule(L.LightningDataModule):
    """Characters of CPython's own documentation, the topics of ``help()``: part of the standard library, no download.

    Split by topic: no text is in two splits, nor any passage of ``passage`` characters, for of topics that share one
    only the longest is kept. A hash of its name says where a topic belongs, so that the split is that of every seed and
    machine. The text itself is that of the running Python, whose version is in the record of a run: compare results of
    one version only. Python 3.11.7 has 79 topics, of which 60 are kept: 44 with 280,380 characters for training, 6 with
    30,325 for validation, 10 with 33,317 for test.

    TODO(paper): the paper's data set and splits.

    Args:
        batch_size: B, windows in a batch, per process.
        vocab_size: V; the V − 1 commonest characters of the training split, and <unk> for all others, which is
            predicted and counted as any character is.
        context: T, characters that the model sees.
        lead: characters before the first target of a window in validation and test, in [0, T).
        passage: what two topics may not share, in characters.
        split_seed: the seed of the split; another one makes another benchmark. Of 0 … 59, 21 has the most topics in
            test where test and validation hold between 8 and 14 % of the characters each.
        num_workers: processes that load batches; data in memory needs none.

    Shapes:
        batches of inputs (B, T) long and targets (B, T) long, −100 where nothing is to be predicted.
    """

    def __init__(
        self,
        batch_size: int,
        vocab_size: int,
        context: int,
        lead: int = 32,
        passage: int = 100,
        split_seed: int = 21,
        num_workers: int = 0,
    ):
        super().__init__()
        if not 0 <= lead < context:
            raise ValueError(f"lead must be in [0, context), as 32 of 64; got {lead} of {context}")
        self.batch_size, self.vocab_size, self.context, self.lead = batch_size, vocab_size, context, lead
        self.passage, self.split_seed, self.num_workers = passage, split_seed, num_workers

    def setup(self, stage: str | None = None) -> None:
        self.topics: dict[str, dict[str, str]] = {"train": {}, "val": {}, "test": {}}
        for name, text in documentation(self.passage).items():
            self.topics[split_of(name, self.split_seed)][name] = text
        # Of the training split only: which characters validation and test have is not known beforehand
        self.vocabulary = Vocabulary("".join(self.topics["train"].values()), self.vocab_size)
        self.numbers = {
            split: [self.vocabulary.encode(text) for text in texts.values()] for split, texts in self.topics.items()
        }
        self.train, self.val, self.test = self._dataset("train"), self._dataset("val"), self._dataset("test")

    def _dataset(self, split: str) -> InMemory:
        lead = 0 if split == "train" else self.lead
        pairs = [windows(numbers, self.context, lead) for numbers in self.numbers[split]]
        return InMemory(*map(torch.cat, zip(*pairs, strict=True)))  # n pairs of (n_i, T) -> 2 × (Σ n_i, T)

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
