"""Test a finished run again, from its checkpoint: ``python evaluate.py run=runs/<run> [ckpt=best|last|<path>]``."""

from omegaconf import DictConfig

from {{ cookiecutter.package_name }}.harness.command import command


@command("evaluate")
def main(cfg: DictConfig) -> None:
    from {{ cookiecutter.package_name }}.harness.training.evaluate import evaluate

    evaluate(cfg)


if __name__ == "__main__":
    main()
