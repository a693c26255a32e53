"""Ours beside a reference, rung by rung: forward, metric, loss, gradients, one optimizer step, five training steps."""

import pytest

from {{ cookiecutter.package_name }}.harness.reference import NO_REFERENCE, Reference, climb


def reference() -> Reference | None:
    """The official model, where it can be imported, or the file that ``record_reference.py`` wrote where it can.

    ``Reference(Net(), rules=[("conv.*", "features.0.*")], loss=…, optimizer=…)``, ``Reference("tests/reference.npz")``;
    ``Reference`` says what else. Where there is none at all, delete this file, and say so in PAPER.md.
    """
    return None  # TODO(paper): the reference


def test_every_rung_equals_the_reference(cfg, data):
    theirs = reference()
    if theirs is None:
        pytest.skip(NO_REFERENCE)
    climb(cfg, theirs, data)
