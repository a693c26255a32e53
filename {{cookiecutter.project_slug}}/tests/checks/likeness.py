"""Likeness between samples that are not equal: near copies and overlapping windows.

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
    size = [min(12, side) for side in train.shape[2:]]
    train, other = few(train, MAX_TRAIN).float(), few(other, MAX_OTHER).float()
    train, other = adaptive_avg_pool2d(train, size), adaptive_avg_pool2d(other, size)
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
