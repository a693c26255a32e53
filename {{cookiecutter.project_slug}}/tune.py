"""Search for what the paper does not state: ``python tune.py experiment=paper``, see ``configs/tune.yaml``."""

from omegaconf import DictConfig

from {{ cookiecutter.package_name }}.harness.command import command


@command("tune")
def main(cfg: DictConfig) -> None:
    from {{ cookiecutter.package_name }}.harness.training.tune import tune

    tune(cfg)


if __name__ == "__main__":
    main()
