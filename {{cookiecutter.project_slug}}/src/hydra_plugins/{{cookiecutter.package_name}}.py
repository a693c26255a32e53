"""Hydra takes sweepers from this package alone; what they do stands in ``harness/sweeps.py``."""

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Override


class AmbiguitySweeper(BasicSweeper):
    """Hydra's own sweeper, with a job more for each alternative of each assumed value."""

    def split_arguments(self, overrides: list[Override], max_batch_size: int | None) -> list[list[list[str]]]:
        from {{ cookiecutter.package_name }}.harness.sweeps import with_alternatives

        (jobs,) = BasicSweeper.split_arguments(overrides, None)
        jobs = with_alternatives(jobs, self.config.hydra.runtime.choices.experiment)
        return list(self.split_overrides_to_chunks(jobs, max_batch_size)) if jobs else []
