"""The paper's own claims: what the tasks ask, which lengths are seen when, and what a score is."""

import itertools
from collections import Counter

import pytest
import torch

from chomsky_hierarchy.data import TASKS, PaperDataModule
from chomsky_hierarchy.harness.training.build import build_procedure
from chomsky_hierarchy.loss import PaperLoss
from chomsky_hierarchy.metrics import Score
from chomsky_hierarchy.model import PaperModel

# As automata, what is done at a symbol: of Parity Check, b flips; of Cycle Navigation, one step on or back
AUTOMATA = {
    "parity_check": (1, lambda state, symbol: 1 - state if symbol == 1 else state),
    "cycle_navigation": (0, lambda state, symbol: {0: state, 1: (state + 1) % 5, 2: (state + 4) % 5}[symbol]),
}


def data(**settings):
    given = {"task": "parity_check", "batch_size": 128, "train_lengths": (1, 40), "test_lengths": (41, 500)}
    return PaperDataModule(**given | {"test_size": 32, "iterations": 4000, "seed": 0} | settings)


@pytest.mark.parametrize("task", TASKS)
def test_answers_are_those_of_the_automaton(task):
    """Appendix A.3: all strings of up to seven symbols, and what a finite automaton says of each."""
    start, move = AUTOMATA[task]
    for length in range(1, 8):
        strings = list(itertools.product(range(TASKS[task].symbols), repeat=length))
        states = len(strings) * [start]
        for position in range(length):
            states = [move(state, string[position]) for state, string in zip(states, strings, strict=True)]
        assert TASKS[task].answer(torch.tensor(strings)).tolist() == states
    assert set(states) == set(range(TASKS[task].classes))


@pytest.mark.parametrize("task", TASKS)
def test_strings_are_random_and_end_with_the_empty_token(task):
    """Appendix A.3: each symbol as often as any other, the empty token once and last, answers those of the string."""
    symbols = TASKS[task].symbols
    for tokens, answers in (data(task=task, test_size=500).test[300], data(task=task).train[3]):
        strings = tokens[:, :-1]
        assert (tokens[:, -1] == symbols).all() and strings.max() < symbols
        assert torch.equal(answers, TASKS[task].answer(strings))
    tokens, _ = data(task=task, test_size=500).test[300]
    shares = torch.bincount(tokens[:, :-1].flatten()) / tokens[:, :-1].numel()
    torch.testing.assert_close(shares, torch.full([symbols], 1 / symbols), atol=0.01, rtol=0)


def test_each_batch_has_one_length():
    """Section 4 and Appendix A.4: training draws 1 … 40 uniformly, the score has 41 … 500, each once, validation 1 … 40."""
    strings = data(iterations=8000, batch_size=1)
    seen = Counter(tokens.shape[1] - 1 for tokens, _ in (strings.train[i] for i in range(8000)))
    assert set(seen) == set(range(1, 41)) and 140 < min(seen.values()) and max(seen.values()) < 260
    assert [strings.test[i][0].shape for i in (0, 1, 459)] == [(32, 42), (32, 43), (32, 501)]
    assert len(strings.test) == 460 and len(data().train) == 4000
    assert [tokens.shape for tokens, _ in (strings.val[i] for i in range(len(strings.val)))] == [
        (32, length + 1) for length in range(1, 41)
    ]


def test_no_string_comes_twice():
    """Of training, validation and test, of two seeds, of two batches; and each is the same whenever it is asked for."""
    same = {"train_lengths": (100, 101), "test_lengths": (100, 101), "batch_size": 32}
    batches = [
        part[i][0][:, :100]
        for seed in (0, 1)
        for m in [data(seed=seed, **same)]
        for part in (m.train, m.val, m.test)
        for i in (0, 1)
    ]
    assert len({tuple(row) for tokens in batches for row in tokens.tolist()}) == 12 * 32
    assert torch.equal(data(**same).train[1][0], data(**same).train[1][0])


def test_score_is_a_mean_over_lengths():
    """Appendix A.4: one length with all of 2 right and one with 1 of 4 are 5/8, though 3 of 6 strings are."""
    score = Score()
    logits = torch.eye(2)
    score.update(logits, torch.tensor([0, 1]))
    score.update(logits[[0, 0, 0, 0]], torch.tensor([0, 1, 1, 1]))
    assert score.compute().item() == 5 / 8


def test_cells_have_the_stated_size(compose):
    """Appendix A.2: a single layer of 256."""
    sizes = {"paper": (256, 3), "parity_lstm": (4 * 256, 3), "cycle_rnn": (256, 4), "cycle_lstm": (4 * 256, 4)}
    for experiment, size in sizes.items():
        model = build_procedure(compose(f"experiment={experiment}")).model
        assert tuple(model.recurrent.weight_ih_l0.shape) == size and model.recurrent.num_layers == 1
        assert model.read_out.out_features == (2 if size[1] == 3 else 5)


def test_weights_begin_as_in_haiku(compose):
    """Variance 1 / fan-in, cut off at two deviations (so that 0.774 of it is left); biases 0, the forget gate's 1."""
    for experiment, fan_in in {"cycle_rnn": (4, 256), "cycle_lstm": (260, 260)}.items():
        model = build_procedure(compose(f"experiment={experiment}")).model
        weights = [model.recurrent.weight_ih_l0, model.recurrent.weight_hh_l0, model.read_out.weight]
        for weight, fan in zip(weights, [*fan_in, 256], strict=True):
            assert weight.var().item() == pytest.approx(0.774 / fan, rel=0.1) and weight.abs().max() <= 2 / fan**0.5
        biases = model.recurrent.bias_ih_l0.view(-1, 256), model.recurrent.bias_hh_l0, model.read_out.bias
        forget = torch.tensor([[0.0], [1.0], [0.0], [0.0]] if experiment == "cycle_lstm" else [[0.0]]).expand_as(
            biases[0]
        )
        assert torch.equal(biases[0], forget) and not any(bias.any() for bias in biases[1:])


def test_loss_is_cross_entropy():
    """Section 4."""
    logits = torch.tensor([[0.0, 3.0]]).exp().log1p().log()  # softmax: log 2 and log(1 + e³), normalised
    odds = logits.exp()[0]
    assert PaperLoss()(logits, torch.tensor([1]))["loss"].item() == pytest.approx(-(odds[1] / odds.sum()).log().item())


def solution():
    """An RNN that solves Parity Check: h counts b's modulo 2 as ReLUs can, and the empty token reads it.

    With s the parity, u = ReLU(s + b) and v = ReLU(s + b - 1) give the next s = u - 2v.
    """
    model = PaperModel("parity_check", "rnn", hidden=2, init="torch").double()
    weights = {
        "recurrent.weight_ih_l0": [[0.0, 1, 0], [0, 1, 0]],
        "recurrent.bias_ih_l0": [0.0, -1],
        "recurrent.weight_hh_l0": [[1.0, -2], [1, -2]],
        "recurrent.bias_hh_l0": [0.0, 0],
        "read_out.weight": [[1.0, 0], [-1, 0]],
        "read_out.bias": [-0.5, 0.5],
    }
    model.load_state_dict({name: torch.tensor(value, dtype=torch.float64) for name, value in weights.items()})
    return model


def test_the_rnn_can_solve_parity():
    """Table 2: 100 is within reach of the architecture, at every length, and of the way it is measured."""
    score, model = Score(), solution()
    for i in range(0, 460, 50):
        tokens, answers = data().test[i]
        score.update(model(tokens), answers)
    assert score.compute() == 1
