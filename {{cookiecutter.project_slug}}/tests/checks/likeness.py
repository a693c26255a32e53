"""Likeness between samples that are not equal: near copies, overlapping windows, and small groups such as patients.

Each function compares two splits, and finds nothing in data for which its reasoning does not hold.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

MAX_TRAIN, MAX_OTHER = 3000, 300  # samples that are compared
NEAR, FAR = 20, 80  # ranks of neighbours


def few(x: Tensor, count: int) -> Tensor:
    """At most so many rows, spread over all of them."""
    return x[:: max(1, math.ceil(len(x) / count))]


def small(x: Tensor) -> Tensor:
    """Images of at most 12 × 12 (N, C, H, W), and other samples as they are."""
    return adaptive_avg_pool2d(x, [min(12, side) for side in x.shape[2:]]) if x.dim() == 4 else x


def unit(x: Tensor) -> Tensor:
    """Rows (N, D) of mean 0 and norm 1."""
    x = x.flatten(1) - x.flatten(1).mean(1, keepdim=True)
    return x / x.norm(dim=1, keepdim=True).clamp(min=1e-6)


def near_copies(train: Tensor, other: Tensor) -> float:
    """The share of images in ``other`` that are images of ``train``, cropped, flipped or encoded again.

    A copy is five times nearer than the 20th neighbour. Where samples vary in five directions or more, as images do, one
    in a hundred is so near by chance; other data are not compared.

    Shapes:
        train (N, C, H, W) float, other (M, C, H, W) float.
    """
    if train.dim() != 4 or min(train.shape[2:]) < 8 or len(train) < 2 * FAR or not train.is_floating_point():
        return 0.0
    train, other = small(few(train, MAX_TRAIN)).float(), small(few(other, MAX_OTHER)).float()
    height, width = train.shape[2] - 2, train.shape[3] - 2
    inner = unit(other[:, :, 1:-1, 1:-1])
    likeness = torch.full((len(other), len(train)), -1.0)
    for flipped in (train, train.flip(3), train.flip(2)):
        for i in range(9):
            crop = flipped[:, :, i // 3 :, i % 3 :][:, :, :height, :width]
            likeness = torch.maximum(likeness, inner @ unit(crop).T)
    distance = (2 - 2 * likeness.topk(FAR).values).clamp(min=0).sqrt()  # (M, FAR)
    nearest, near, far = distance[:, 0], distance[:, NEAR - 1], distance[:, -1]
    if near.median() < 1e-3 or (far / near).median() > 1.3:
        return 0.0
    return ((nearest < 0.2 * near) & (near > 1e-3)).float().mean().item()


def hashed(parts: Iterable[Tensor]) -> Tensor:
    """One whole number for each place in tensors of one shape; products and sums wrap, and so stay exact."""
    key = 0
    for part in parts:
        bits = part.float().contiguous().view(torch.int32) if part.is_floating_point() else part
        key = 6364136223846793005 * key + bits.long()
    return key


def passages(x: Tensor, length: int) -> Tensor:
    """A key for each passage of so many symbols: (N, T) -> (N, T - length + 1)."""
    return hashed(x.unfold(1, length, 1).unbind(2))


def overlapping(train: Tensor, other: Tensor, dim: int = 1) -> float:
    """The share of sequences in ``other`` whose first or last half is found in ``train``, at another position.

    What is found at the same position alone may be a common beginning, or the same candidates in two questions.

    Shapes:
        train (N, T) or (N, T, C), or (N, C, T) with ``dim`` 2; other the same with M rows.
    """
    if train.dim() not in (2, 3) or train.shape[dim] < 32:
        return 0.0
    length = train.shape[dim] // 2
    one, two = few(train, 1_000_000 // train[0].numel()), few(other, MAX_OTHER)
    one, two = (hashed(x.unbind(3 - dim) if x.dim() == 3 else [x]) for x in (one, two))  # (N, T)
    parts = passages(one, length // 4)  # by parts, for neighbours may be alike, as the pixels of an image
    shares = torch.unique(parts, return_counts=True)[1] / parts.numel()
    if -4 * (shares * shares.log2()).sum() < math.log2(one.numel()) + 10:  # so few symbols repeat by chance
        return 0.0
    known, found = passages(one, length), []
    for half, elsewhere in ((two[:, :length], known[:, 1:]), (two[:, -length:], known[:, :-1])):
        varied = (half.diff() != 0).sum(1) >= length / 4  # others may be padding
        found.append(torch.isin(passages(half, length)[:, 0], elsewhere) & varied)
    return (found[0] | found[1]).double().mean().item()


def whitened(x: Tensor) -> Tensor:
    """Rows (N, D) with the same variance in each direction, which shows what is small and the same in many samples."""
    if x.shape[1] > 768:
        x = x @ torch.randn(x.shape[1], 768, generator=torch.Generator().manual_seed(0)).to(x)
    x = x - x.mean(0)
    variances, directions = torch.linalg.eigh(x.T @ x / len(x))
    kept = variances > 1e-6 * variances.max()
    return (x @ directions[:, kept] / variances[kept].sqrt()).clamp(-3, 3)


def small_groups(train: Tensor, labels: Tensor, other: Tensor, other_labels: Tensor) -> float:
    """How well the nearest samples of ``train`` tell the labels of ``other``, if none but the nearest do; otherwise 0.

    So it is where each patient has one label, and images in both splits: those of the same patient are the nearest, and
    beyond them each label is as frequent as by chance. Where a label is of what a sample shows, less near ones have it
    too.

    Shapes:
        train (N, …) and other (M, …) float, labels (N,) and other_labels (M,) long; returns 0 for chance, 1 for all.
    """
    if not train.is_floating_point() or train[:1].numel() < 16 or min(len(train), len(other)) < 100:
        return 0.0
    train, labels = few(train, MAX_TRAIN), few(labels, MAX_TRAIN)
    other, other_labels = few(other, MAX_OTHER), few(other_labels, MAX_OTHER)
    size = len(labels) // len(labels.unique())
    chance = sum(((labels == y).double().mean() * (other_labels == y).double().mean()).item() for y in labels.unique())
    if size < 100 or chance > 0.8:
        return 0.0
    x = torch.cat([small(train), small(other)]).flatten(1).double()
    nearest, beyond = [], []
    for view in (x, whitened(x)):
        order = torch.cdist(view[len(train) :], view[: len(train)]).topk(size // 4, largest=False).indices
        alike = ((labels[order] == other_labels[:, None]).double().mean(0) - chance) / (1 - chance)  # by rank
        nearest.append(alike[:3].mean().item())
        beyond.append(alike[size // 8 :].mean().item())
    return max(nearest) if max(nearest) > 0.75 and max(beyond) < 0.06 else 0.0
