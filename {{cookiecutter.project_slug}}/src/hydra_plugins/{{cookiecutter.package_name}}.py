"""``python train.py -m experiment=paper sweep=ambiguities``: what if it is not as was assumed?

Hydra takes a sweeper from this package alone; the module has the name of ours, so that several can be installed.
"""

from hydra.core.override_parser.types import Override

from {{ cookiecutter.package_name }}.harness.identity import UsageError
from {{ cookiecutter.package_name }}.harness.training.lightning_internals import BasicSweeper


class AmbiguitySweeper(BasicSweeper):
    """Hydra's own sweeper; each job is followed by the same with one alternative of one assumed value at a time.

    A value that is given on the command line is not varied.
    """

    def split_arguments(self, overrides: list[Override], max_batch_size: int | None) -> list[list[list[str]]]:
        from {{ cookiecutter.package_name }}.harness.evidence import sources  # only now: train.py starts without

        (jobs,) = BasicSweeper.split_arguments(overrides, None)
        found = []
        for job in jobs:
            given = dict(part.lstrip("+~").partition("=")[::2] for part in job)
            assumed = sources.values(given.get("experiment", self.config.hydra.runtime.choices.experiment))
            if wrong := [problem for value in assumed for problem in value.problems if "alternatives" in problem]:
                raise UsageError("\n".join(wrong))
            found.append(job)
            found += [
                [*job, sources.override(value, alternative)]
                for value in assumed
                if value.key not in given
                for alternative in value.alternatives
            ]
        if len(found) == len(jobs):
            raise UsageError(
                "No assumed value has alternatives, so there is nothing to compare. One that has: "
                "dropout: 0.1  # assumed: not stated; {0.0, 0.1, 0.3}"
            )
        return list(self.split_overrides_to_chunks(found, max_batch_size))
