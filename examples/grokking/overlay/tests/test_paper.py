"""The paper's own claims: the table of equations by enumeration, the sizes it states, and what is noted on the way."""

import math

import pytest
import torch
from conftest import fit
from lightning import Callback

from grokking.data import PaperDataModule, division
from grokking.harness.training.build import build_data, build_procedure, build_trainer
from grokking.loss import PaperLoss

SMALL = ["data.p=11", "data.batch_size=64", "procedure.threshold=0.13"]


def table(dataset):
    """The equations of a split as (x, y, answer)."""
    equations, answers = dataset.tensors
    return list(zip(equations[:, 0].tolist(), equations[:, 2].tolist(), answers.tolist(), strict=True))


@pytest.mark.parametrize("p", [2, 3, 5, 97])
def test_the_table_is_that_of_division(p):
    """Appendix A.1.1: the answer times y is x modulo p, for each 0 ≤ x < p and 0 < y < p once."""
    equations, answers = division(p)
    assert equations.shape == (p * (p - 1), 4) and answers.shape == (p * (p - 1),)
    x, y = equations[:, 0], equations[:, 2]
    assert {*zip(x.tolist(), y.tolist(), strict=True)} == {(x, y) for x in range(p) for y in range(1, p)}
    assert torch.equal(answers * y % p, x) and answers.min() == 0 and answers.max() == p - 1
    assert (equations[:, 1] == p).all() and (equations[:, 3] == p + 1).all(), "the signs have tokens of their own"


def test_both_parts_are_the_whole_table(data):
    """Appendix A.1.1, Figure 1: half of the 9312 equations are for training, the rest for validation."""
    train, val = table(data.train), table(data.val)
    assert len(train) == len(val) == 9312 // 2
    assert sorted(train + val) == sorted((x, y, x * pow(y, -1, 97) % 97) for x in range(97) for y in range(1, 97))


def test_the_part_for_training_is_random(data):
    """Appendix A.1.1: each residue has about half of its equations in training; another seed draws others."""
    for column in (0, 1, 2):
        counts = torch.bincount(torch.tensor(table(data.train))[:, column], minlength=97)
        counts = counts[1:] if column == 1 else counts
        assert 96 / 4 < counts.min() and counts.max() < 97 * 3 / 4
    other = PaperDataModule(p=97, fraction=0.5, batch_size=512, split_seed=1)
    other.setup()
    both = len(set(table(data.train)) & set(table(other.train)))
    assert both == pytest.approx(9312 / 4, rel=0.1)


@pytest.mark.parametrize(("fraction", "size"), [(0.5, 512), (0.1, 465), (0.02, 93)])
def test_a_batch_is_at_most_half_of_training(fraction, size):
    """Appendix A.1.2: min(512, half of the training set)."""
    data = PaperDataModule(p=97, fraction=fraction, batch_size=512, split_seed=0)
    data.setup()
    assert len(next(iter(data.train_dataloader()))[0]) == size


def test_size_beside_embeddings(cfg):
    """Appendix A.1.2: two layers of width 128 with four heads, about 4·10⁵ parameters that are no embedding."""
    model = build_procedure(cfg).model
    count = sum(p.numel() for name, p in model.named_parameters() if not name.startswith(("embedding", "head")))
    assert count == pytest.approx(4e5, rel=0.05)
    assert len(model.blocks) == 2 and all(block.attention.n_heads == 4 for block in model.blocks)
    assert model.embedding.weight.shape == (97 + 2, 128)


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary"])
def test_order_matters(compose, positions):
    """x / y is not y / x."""
    model = build_procedure(compose(f"model.positions={positions}")).model.eval()
    one, other = model(torch.tensor([[3, 97, 5, 98], [5, 97, 3, 98]]))[:, -1]
    assert (one - other).abs().max() > 1e-3


def test_only_the_answer_counts(cfg, data):
    """Appendix A.1.2: loss and accuracy are of the answer's token, predicted where the equality sign stands."""
    procedure = build_procedure(cfg).eval()
    equations, answers = next(iter(data.val_dataloader()))
    logits = procedure.model(equations)  # (B, 4, V)
    loss = procedure.step((equations, answers), procedure.val_metrics)["loss"]
    log_p = [row[3].double().log_softmax(0)[answer].item() for row, answer in zip(logits, answers, strict=True)]
    right = [row[3].argmax() == answer for row, answer in zip(logits, answers, strict=True)]
    assert loss.item() == pytest.approx(-sum(log_p) / len(log_p), rel=1e-5)
    assert procedure.val_metrics.compute()["val/accuracy"].item() == pytest.approx(sum(right).item() / len(right))


def test_loss_is_cross_entropy():
    """Appendix A.1.2."""
    logits = torch.tensor([[0.0, math.log(3.0)]])  # softmax: 1/4, 3/4
    assert PaperLoss()(logits, torch.tensor([1]))["loss"].item() == pytest.approx(-math.log(3 / 4))


class Seen(Callback):
    """Both accuracies as they are logged, with the updates done by then."""

    def __init__(self):
        self.train, self.val = [], []

    def on_train_epoch_end(self, trainer, pl_module):
        self.train.append((trainer.global_step, pl_module.train_metrics.compute()["train/accuracy"].item()))

    def on_validation_end(self, trainer, pl_module):
        if not trainer.sanity_checking:
            self.val.append((trainer.global_step, trainer.callback_metrics["val/accuracy"].item()))


def test_the_first_updates_above_the_threshold_are_noted(compose, tmp_path):
    """Figure 1: as a loop over all that was logged finds them, and known again from the checkpoint.

    For want of time, by a threshold that is soon exceeded, on equations modulo 11.
    """
    cfg, seen = compose("experiment=paper", *SMALL), Seen()
    trainer = fit(cfg, 60, seen, limit_val_batches=1.0, val_check_interval=3)
    first_train, first_val = (next(step for step, accuracy in a if accuracy > 0.13) for a in (seen.train, seen.val))
    assert seen.train[0][0] < first_train < first_val < seen.val[-1][0], "this test would see nothing"
    assert seen.train[-1][1] > 0.13 > seen.val[-1][1], "nor whether it is the first update or the last"
    trainer.save_checkpoint(tmp_path / "small.ckpt")
    measured = build_trainer(cfg, enable_progress_bar=False, enable_checkpointing=False).validate(
        build_procedure(cfg), build_data(cfg), ckpt_path=tmp_path / "small.ckpt", weights_only=True, verbose=False
    )[0]
    assert measured["val/memorized_at"] == first_train and measured["val/generalized_at"] == first_val
    assert measured["val/delay"] == first_val - first_train


def test_what_is_not_reached_has_no_delay(compose):
    """Not 0, nor anything else that a claim could be fulfilled by; and measuring alone notes nothing."""
    cfg = compose("experiment=paper", *SMALL, "procedure.threshold=-1")
    procedure = build_procedure(cfg)
    procedure.memorized_at.fill_(2)
    quiet = build_trainer(cfg, enable_progress_bar=False, enable_checkpointing=False)
    measured = quiet.validate(procedure, build_data(cfg), verbose=False)[0]
    assert measured["val/memorized_at"] == 2 and measured["val/generalized_at"] == math.inf
    assert math.isnan(measured["val/delay"])
