"""Padding changes nothing: sequences of different lengths, in batches with a mask, with lengths or with a value of its own."""

import itertools

import pytest
import torch
from conftest import as_given, draws_numbers, evaluate, skip_if_refused
from lightning_utilities.core.apply_func import apply_to_collection
from splits import copy_loader, has_rows, loaders, number_of_samples, repeat_batch, tensors
from torch import Tensor
from torch.nn.utils import parameters_to_vector


def lengths_by(part: Tensor, length: int) -> Tensor | None:
    """The lengths (B,) that a tensor tells: lengths themselves, a mask (B, T), or tokens (B, T) with a value for padding."""
    if part.dim() == 1 and not part.is_floating_point() and part.dtype != torch.bool:
        return part if 1 <= part.min() and part.max() <= length else None
    if part.dim() != 2 or part.shape[1] != length or part.is_floating_point():
        return None
    for value in part[:, -1].unique():  # it fills the ends of some rows, and is nowhere else
        padding = part == value
        lengths = length - padding.sum(1)
        if torch.equal(padding, torch.arange(length) >= lengths[:, None]) and lengths.min() >= 1:
            return lengths
    return None


def is_padding(part: Tensor, lengths: Tensor, length: int) -> bool:
    """Whether a tensor (B, T, …) holds one value only, or one vector, behind each row's length."""
    if part.dim() < 2 or len(part) != len(lengths) or part.shape[1] != length:
        return True
    behind = part[torch.arange(length) >= lengths[:, None]]  # (B, T, …) -> (P, …)
    return bool((behind == behind[:1]).all())


def padded(batch) -> tuple[int, Tensor] | None:
    """T and the length of each sample (B,), if many are shorter than T: one may end with what only looks like padding."""
    parts, samples = tensors(batch), number_of_samples(batch)
    if not has_rows(batch):
        return None
    for length in {part.shape[1] for part in parts if part.dim() > 1 and part.shape[0] == samples != part.shape[1]}:
        for part in parts:
            lengths = lengths_by(part, length) if part.shape[:1] == (samples,) else None
            enough = lengths is not None and lengths.unique().numel() > 2 and (length - lengths).sum() >= 16
            if enough and all(is_padding(other, lengths, length) for other in parts):
                return length, lengths
    return None


def select(batch, kept: Tensor, length: int, cut: int):
    """The samples ``kept``, and of T = ``length`` positions all but the last ``cut``."""
    samples = number_of_samples(batch)

    def narrow(part: Tensor) -> Tensor:
        rows = part.shape[:1] == (samples,)
        part = part[kept] if rows else part
        dims = [d for d in range(int(rows), part.dim()) if part.shape[d] == length]
        for dim in dims if not rows or part.dtype == torch.bool else dims[:1]:
            part = part.narrow(dim, 0, length - cut)
        return part

    return apply_to_collection(batch, Tensor, narrow)


def measured(procedure, batch) -> dict[str, Tensor]:
    """The loss, its gradient, and the metrics."""
    procedure.val_metrics.reset()
    trained = [parameter for parameter in procedure.parameters() if parameter.requires_grad]
    loss = evaluate(procedure, batch)["loss"]
    gradient = torch.autograd.grad(loss, trained, materialize_grads=True) if loss.requires_grad else [torch.zeros(1)]
    metrics = {name: metric.compute() for name, metric in procedure.val_metrics.items() if metric.update_called}
    found = {"the loss": loss.detach(), "the gradient": parameters_to_vector(gradient)} | metrics
    return {name: value.double().nan_to_num() for name, value in found.items() if torch.is_tensor(value)}


def test_padding_changes_nothing(untrained, data, facts):
    """Neither loss, gradient nor metrics change with the padding that longer samples of the batch would bring."""
    if facts["batch_interaction"] == "any":
        pytest.skip("facts.batch_interaction is any")
    torch.manual_seed(0)
    loader, *others = loaders(data, "train")
    if others:
        pytest.skip("training reads several loaders at once")
    given = [itertools.islice(loader, 5)]
    if repeat_batch(loader) is not None:  # also samples that a sampler keeps apart because of their lengths
        given.append(itertools.islice(copy_loader(loader, batch_size=32, shuffle=True, sampler=None), 1))
    batches = (as_given(data, batch) for batch in itertools.chain(*given))
    batch, (length, lengths) = next(((b, found) for b in batches if (found := padded(b))), (None, (0, None)))
    if batch is None:
        pytest.skip("no batch holds padded sequences with a mask, with lengths or with a value of its own for padding")
    if draws_numbers(untrained, batch):
        pytest.skip("PaperProcedure.step draws random numbers, as many as there are positions")
    for bound in (lengths.min(), lengths.float().quantile(0.5).long()):
        kept = lengths.argsort(descending=True)[(lengths > bound).sum() :]  # as packed sequences may ask for
        cut = length - int(lengths[kept].max())
        with skip_if_refused("a batch of fewer samples or positions"):
            longer, less = (measured(untrained, select(batch, kept, length, n)) for n in (0, cut))
        for name, value in longer.items():
            assert (value - less[name]).norm() <= 1e-3 * less[name].norm() + 1e-6, (
                f"{name} of {len(kept)} samples has the norm {value.norm():.6g} with padding to {length} positions, and "
                f"{less[name].norm():.6g} with padding to {length - cut}. Mask padding in attention, pooling, normalisation and "
                "metrics (ignore_index), let padding_idx keep its embedding at zero, and divide the sum of the loss by the "
                "number of what is not padding"
            )
