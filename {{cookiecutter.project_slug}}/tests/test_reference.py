"""Our implementation against a reference: forward, metric, loss, gradients, one optimizer step, five steps."""

import pytest

from {{ cookiecutter.package_name }}.harness.verification.reference import NO_REFERENCE, Reference, climb


def reference() -> Reference | None:
    """The official model, or a file of what it computes if it cannot be imported here (``record_reference.py``).

    For example ``Reference(Net(), rules=[("conv.*", "features.0.*")], loss=…, optimizer=…)``, or
    ``Reference("tests/reference.npz")``. If there is no reference, delete only the mark below, and say so in PAPER.md.
    """
    return None  # TODO(paper): the reference


def test_every_rung_equals_the_reference(cfg, data):
    theirs = reference()
    if theirs is None:
        pytest.skip(NO_REFERENCE)
    climb(cfg, theirs, data)
