"""Train the paper's model: ``python train.py experiment=paper``, with any override Hydra takes."""

from omegaconf import DictConfig

from {{ cookiecutter.package_name }}.harness.command import command


@command("train")
def main(cfg: DictConfig) -> float | None:
    from {{ cookiecutter.package_name }}.harness.training.run import train

    return train(cfg)


if __name__ == "__main__":
    main()
