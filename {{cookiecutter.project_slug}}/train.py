"""Train the paper's model: ``python train.py experiment=paper``, with any override Hydra takes."""

from omegaconf import DictConfig

from {{ cookiecutter.package_name }}.harness.settings import command


@command("train")
def main(cfg: DictConfig) -> None:
    # torch, only once there is work for it
    from {{ cookiecutter.package_name }}.harness.training import train

    train(cfg)


if __name__ == "__main__":
    main()
