"""Test a finished run again, from its checkpoint: ``python evaluate.py run=runs/<run> [ckpt=best|last|<path>]``."""

import os
import sys

from omegaconf import DictConfig

from {{ cookiecutter.package_name }}.harness.command import command


@command("evaluate")
def main(cfg: DictConfig) -> None:
    from {{ cookiecutter.package_name }}.harness.training.evaluate import evaluate

    evaluate(cfg)


def literal(argument: str) -> str:
    """``run=`` and ``ckpt=`` with the path in quotes: Hydra would read its blanks, commas, brackets and = itself."""
    key, _, path = argument.partition("=")
    if key not in ("run", "ckpt") or not os.path.exists(path):
        return argument
    return "{}='{}'".format(key, path.replace("'", r"\'"))


if __name__ == "__main__":
    sys.argv[1:] = map(literal, sys.argv[1:])
    main()
