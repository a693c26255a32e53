"""Find what the paper states and propose it: ``python read.py``."""

from {{ cookiecutter.package_name }}.harness.reading.main import main

if __name__ == "__main__":
    main()
