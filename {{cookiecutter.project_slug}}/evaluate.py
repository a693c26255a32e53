"""Test a finished run again, from its checkpoint: ``python evaluate.py run=runs/<run> [ckpt=best|last|<path>]``."""

from omegaconf import DictConfig

from {{ cookiecutter.package_name }}.harness.settings import command, heavy_imports


@command("evaluate")
def main(cfg: DictConfig) -> None:
    with heavy_imports():  # of torch, only once there is work for it
        from {{ cookiecutter.package_name }}.harness.evaluation import evaluate

    evaluate(cfg)


if __name__ == "__main__":
    main()
