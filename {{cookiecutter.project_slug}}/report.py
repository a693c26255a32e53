"""Set the paper's numbers beside ours: ``python report.py``."""

from {{ cookiecutter.package_name }}.harness.reporting.main import main

if __name__ == "__main__":
    main()
