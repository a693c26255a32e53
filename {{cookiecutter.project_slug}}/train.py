"""Train the paper's model: ``python train.py experiment=paper``, with any override Hydra takes."""

from omegaconf import DictConfig

from {{ cookiecutter.package_name }}.harness.settings import command, heavy_imports


@command("train")
def main(cfg: DictConfig) -> float | None:
    with heavy_imports():  # of torch, only once there is work for it
        from {{ cookiecutter.package_name }}.harness.training import train

    return train(cfg)


if __name__ == "__main__":
    main()
