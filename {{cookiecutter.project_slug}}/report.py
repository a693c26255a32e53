"""Set the paper's numbers beside ours: ``python report.py``."""

from pathlib import Path

from {{ cookiecutter.package_name }}.harness.reporting.main import main


def export(record: dict, path: Path) -> None:
    """Write the weights of a run; the report itself needs no torch."""
    from {{ cookiecutter.package_name }}.harness.training.checkpoints import export

    export(record, path)


if __name__ == "__main__":
    main(export)
