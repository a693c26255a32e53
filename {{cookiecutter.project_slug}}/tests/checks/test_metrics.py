"""Whether a metric measures what its name says, however the validation samples reach it."""

import math
from unittest.mock import Mock

import lightning as L
import pytest
import torch
from conftest import QUIET, Draws, as_given, copy_of, evaluate, skip_if_refused
from lightning_utilities.core.apply_func import apply_to_collection
from splits import loaders, reads_by_index
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader
from torchmetrics import Metric

from {{ cookiecutter.package_name }}.harness.evidence.targets import stated_targets
from {{ cookiecutter.package_name }}.harness.training.build import build_trainer


class DrawsInSteps(Draws, L.Callback):
    """Notices whether a validation step draws random numbers."""

    def on_validation_batch_start(self, *_):
        self.__enter__()

    def on_validation_batch_end(self, *_):
        self.__exit__(None, None, None)


class Validation:
    """Validates the weights of a short training on a few samples, in any batches."""

    def __init__(self, cfg, data, trainer: L.Trainer):
        self.cfg, self.data, self.trained = cfg, data, trainer.lightning_module
        given = loaders(data, "val")
        loader = given[0] if len(given) == 1 else None
        if not reads_by_index(loader) or not loader.batch_size or len(indices := list(loader.sampler)) < 2:
            pytest.skip("the samples of validation cannot be put into other batches")
        self.loader = loader
        few = min(len(indices), max(12, min(64, loader.batch_size)))
        order = torch.randperm(len(indices), generator=torch.Generator().manual_seed(0))[:few]
        self.samples = [indices[i] for i in order]

    def procedure(self) -> L.LightningModule:
        return copy_of(self.cfg, self.trained)

    def batches(self, sizes: list[int]) -> list[list]:
        rest = iter(self.samples)
        return [[next(rest) for _ in range(size)] for size in sizes]

    def loader_of(self, batches: list[list]) -> DataLoader:
        return DataLoader(self.loader.dataset, batch_sampler=batches, collate_fn=self.loader.collate_fn)

    def __call__(self, batches: list[list], procedure=None, callback=None, seed: int = 0) -> dict[str, float]:
        self.data.val_dataloader = lambda: self.loader_of(batches)
        L.seed_everything(seed, verbose=False)
        trainer = build_trainer(self.cfg, [callback] if callback else [], **QUIET | {"limit_val_batches": 1.0})
        with skip_if_refused("a batch that is not the paper's own"):
            trainer.validate(procedure or self.procedure(), self.data, verbose=False)
        return {name: float(value) for name, value in trainer.callback_metrics.items()}

    def updates(self) -> dict[str, tuple[Metric, list]]:
        """Each metric, empty, and the arguments of its updates in a validation of up to twelve samples, in pairs."""
        procedure, found = self.procedure(), {}
        for name, metric in procedure.named_modules():
            if isinstance(metric, Metric):
                found[name.replace("val_metrics.", "val/")] = metric.clone(), (update := Mock(wraps=metric.update))
                metric.update = update
        self(self.batches([2] * (min(len(self.samples), 12) // 2)), procedure)
        calls = {name: (empty, [*map(tuple, update.call_args_list)]) for name, (empty, update) in found.items()}
        return {name: given for name, given in calls.items() if len(given[1]) > 3}


@pytest.fixture
def validation(cfg, data, needs_evaluation_data, trained) -> Validation:
    return Validation(cfg, data, trained[0])


def near(one, other) -> bool:
    return one == pytest.approx(other, rel=1e-4, abs=1e-7, nan_ok=True)


def test_a_second_validation_measures_the_same(validation):
    """Nothing is kept of the samples of the first one."""
    half, procedure, other = len(validation.samples) // 2, validation.procedure(), validation.procedure()
    validation([validation.samples[:half]], procedure)
    second = validation([validation.samples[half:]], procedure)
    alone = validation([validation.samples[half:]], other)
    kept = [name for name in alone if not near(second[name], alone[name])]
    assert not kept, f"{kept} depend on the samples of an earlier validation. Reset metrics and clear lists after each"


def test_a_metric_does_not_depend_on_the_batches(validation, facts):
    """The same samples in batches of other sizes, in another order, have the same value."""
    few, watch = len(validation.samples), DrawsInSteps()
    if few < 12 or len(list(validation.loader.sampler)) <= validation.loader.batch_size:
        pytest.skip("all samples of validation are in one batch")
    sizes = [few // 2, 2, 3, few - few // 2 - 5]
    whole = validation([validation.samples], callback=watch)
    again = validation([validation.samples], seed=1)
    if watch.found or not all(near(whole[name], again[name]) for name in whole):
        pytest.skip("validation draws random numbers")
    parts = validation(validation.batches(sizes))
    depends = parts.get("val/loss", 0) != pytest.approx(whole.get("val/loss", 0), rel=0.05)
    if facts["batch_interaction"] == "any" or (depends and facts["reduction"] != "sum"):
        pytest.skip("the loss of the same samples depends on their batches, so a metric may, too")
    terms = {f"val/{name}" for name in validation.trained.terms} | {"val/loss"}
    names = whole.keys() - terms if validation.trained.terms else whole.keys() & validation.trained.val_metrics.keys()
    wrong = [f"{n} is {whole[n]:.6g} or {parts[n]:.6g}" for n in names if not near(whole[n], parts[n])]
    assert not wrong, (
        f"{'; '.join(wrong)}: the same samples in one batch, or in batches of {sizes}. A mean over batches weighs samples by "
        "their batch: add up numerator and denominator in update, and divide in compute (MeanMetric ignores its weights if "
        "nan_strategy is 'disable')"
    )


def fed(metric: Metric, calls: list) -> Metric:
    metric = metric.clone()
    for args, kwargs in calls:
        metric.update(*args, **kwargs)
    return metric


def value_of(metric: Metric, calls: list) -> Tensor:
    """What the metric computes from these updates, as a vector; empty after an error."""
    try:
        return numbers(fed(metric, calls).compute())
    except (RuntimeError, ValueError):
        return torch.empty(0)


def numbers(value) -> Tensor:
    return torch.cat([torch.empty(0), *(torch.as_tensor(leaf).flatten().double() for leaf in tree_leaves(value))])


def test_a_metric_is_the_same_over_two_processes(validation):
    """Each process takes every other batch; torchmetrics joins their states as ``dist_reduce_fx`` says."""
    for name, (metric, calls) in validation.updates().items():
        one, two = value_of(metric, calls).tolist(), joined(fed(metric, calls[::2]), fed(metric, calls[1::2])).tolist()
        assert near(two, one), (
            f"{name} is {one} in one process and {two} over two. Register all that update changes by add_state, with "
            "dist_reduce_fx='sum' for sums and counts and 'cat' for lists of samples"
        )


def joined(here: Metric, there: Metric) -> Tensor:
    """What ``here`` computes if ``there`` is the same metric in another process."""
    theirs: list[Tensor] = []
    there.sync(lambda state, group: theirs.append(state) or [state], distributed_available=lambda: True)
    here.dist_sync_fn, here.distributed_available_fn = lambda state, group: [state, theirs.pop(0)], lambda: True
    return numbers(here.compute())


def test_a_metric_shows_what_is_not_a_number(validation):
    """A NaN in the inputs makes the metric NaN, worse, or an error; it is not silently dropped."""
    for name, (metric, calls) in validation.updates().items():
        dropped = [drops_nan(metric, calls, i) for i in range(len(calls))]
        assert not all(dropped), (
            f"{name} leaves out what is not a number, so a diverged run improves it. Use no nanmean and no mask of what is "
            "finite; set nan_strategy='error' in a metric of torchmetrics"
        )


def drops_nan(metric: Metric, calls: list, i: int) -> bool:
    """Whether a NaN in an update improves the metric, or changes it as if the sample, or the update, were left out."""
    args, kwargs = calls[i]
    dense = [x for x in (*args, *kwargs.values()) if torch.is_tensor(x) and x.layout == torch.strided]
    leaf = next((x for x in dense if x.is_floating_point()), None)
    if leaf is None or not leaf.numel():
        return False
    size, sample = leaf.shape[:1], leaf.shape.index(2) if 2 in leaf.shape else 0  # of two; time may come first

    def value(change) -> list[float]:
        changed = apply_to_collection(calls[i], Tensor, change)
        return value_of(metric, [*calls[:i], changed, *calls[i + 1 :]]).tolist()

    def value_with(number: float) -> list[float]:
        broken = leaf.clone()
        (broken.select(sample, 0) if size else broken).fill_(number)
        return value(lambda x: broken if x is leaf else x)

    whole, found = value(lambda x: x), value_with(math.nan)
    if not found or not all(map(math.isfinite, found)) or near(found, whole):
        return False
    gain = (sum(found) - sum(whole)) * {True: 1, False: -1}.get(metric.higher_is_better, 0)
    gains = gain > 0 and not near(found, value_with(1.0))  # an argmax takes it for no guess
    without = value_of(metric, calls[:i] + calls[i + 1 :]).tolist()
    others = torch.arange(1, *size)
    rest = value(lambda x: x.index_select(0, others) if size and x.shape[:1] == size else x)  # x may be sparse
    return gains or near(found, without) or near(found, rest)


def test_a_constant_model_measures_as_chance(cfg, validation, needs_step):
    """If all outputs of the model are equal, ties are not counted as hits."""
    modes = {target.metric.removeprefix("test/"): target.get("mode") for target in stated_targets(cfg.paper)}
    equal, broken, nearly = (of_constant_model(validation, noise) for noise in (0.0, 1e-4, 1e-5))
    for name, metric in validation.trained.val_metrics.items():
        better = {"max": True, "min": False}.get(modes.get(name.removeprefix("val/")), metric.higher_is_better)
        if better is None or len(set(equal[name])) != 1:  # a constant guess, such as the first class, is right for some
            continue
        one, other, nearer = equal[name][0], *(sum(x[name]) / len(x[name]) for x in (broken, nearly))
        if abs(other - nearer) > abs(nearer - one):  # it follows the noise, as a width does
            continue
        gain = one - other if better else other - one
        assert gain <= 0.05 * max(abs(one), abs(other)), (
            f"{name} is {one:.4g} if all outputs are equal, and {other:.4g} if they differ by chance in the fourth digit: ties "
            "count as hits. Rank a tie as the mean of its places"
        )


def of_constant_model(validation: Validation, noise: float) -> dict[str, list[float]]:
    """Each metric of single samples, for a model whose outputs are one, apart from noise."""
    procedure = validation.procedure().eval()

    def flat(x: Tensor) -> Tensor:
        shape = x.shape if x.dim() < 3 else x.shape[-1:]  # parts of a sample alike, so that they decode to one
        uneven = (12.9898 * torch.arange(shape.numel(), device=x.device)).sin().view(shape)  # not drawn, for vmap
        return 0 * x + 1 + noise * uneven if x.is_floating_point() else x

    procedure.model.register_forward_hook(lambda module, args, outputs: apply_to_collection(outputs, Tensor, flat))
    found: dict[str, list[float]] = {name: [] for name in procedure.val_metrics.keys()}
    torch.manual_seed(0)
    for loaded in validation.loader_of([[sample] for sample in validation.samples[:16]]):
        procedure.val_metrics.reset()
        with skip_if_refused("a single sample"):
            evaluate(procedure, as_given(validation.data, loaded))
        for name, metric in procedure.val_metrics.items():
            if metric.update_called:
                found[name].append(numbers(metric.compute()).sum().item())
    return found
