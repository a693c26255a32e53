"""In place of transformers, which torchmetrics imports where it is installed and no generated repository installs."""


def __getattr__(name: str) -> type:
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {})
