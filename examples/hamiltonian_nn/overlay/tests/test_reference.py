"""Ours beside the official code, as far as a file of it goes: forward, loss and gradients."""

from hamiltonian_nn.harness.verification.reference import Reference, climb


def reference() -> Reference:
    """What the official ``HNN(2, MLP(2, 16, 2))`` computes in float64, with weights of seed 0: no line of it is here.

    https://github.com/greydanus/hamiltonian-nn, hnn.py at 4009db6 and nn_models.py at bbd2283, their ``L2_loss``;
    written by ``record_reference.py`` with ``call=lambda model, x: model.time_derivative(x.requires_grad_())``. Its
    network has two outputs, of which the second is H.
    """
    linear1, linear2 = (
        (f"differentiable_model.linear{number}.*", f"hamiltonian.{part}.*") for number, part in ((1, 0), (2, 2))
    )
    linear3 = ("differentiable_model.linear3.weight", "hamiltonian.4.weight", lambda weight: weight[1:])
    return Reference("tests/reference.npz", rules=[linear1, linear2, linear3])


def test_every_rung_equals_the_reference(cfg, data):
    cfg.model.hidden = 16  # a small file
    climb(cfg, reference(), data)
