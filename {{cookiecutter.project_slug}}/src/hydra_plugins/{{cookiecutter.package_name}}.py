"""``python train.py -m experiment=paper sweep=ambiguities``: how much do the assumed values matter?

Hydra finds sweepers only in the package ``hydra_plugins``. This module is named after our package, so that several
repositories can be installed side by side.
"""

from hydra.core.override_parser.types import Override

from {{ cookiecutter.package_name }}.harness.command import errors_for_people
from {{ cookiecutter.package_name }}.harness.identity import UsageError
from {{ cookiecutter.package_name }}.harness.training.lightning_internals import BasicSweeper


class AmbiguitySweeper(BasicSweeper):
    """Hydra's basic sweeper, which also runs each job with each alternative of each assumed value, one at a time.

    Values that are set on the command line are not varied.
    """

    @errors_for_people()
    def split_arguments(self, overrides: list[Override], max_batch_size: int | None) -> list[list[list[str]]]:
        # imported late: train.py starts faster
        from {{ cookiecutter.package_name }}.harness.evidence import sources

        (jobs,) = BasicSweeper.split_arguments(overrides, None)
        found = []
        for job in jobs:
            given = dict(part.lstrip("+~").partition("=")[::2] for part in job)
            values = sources.experiment_values(given.get("experiment", self.config.hydra.runtime.choices.experiment))
            assumed = [value for value in values if value.kind == "assumed"]
            if wrong := [problem for value in assumed for problem in value.problems if "alternatives" in problem]:
                raise UsageError("\n".join(wrong))
            found.append(job)
            found += [
                [*job, sources.override(value, alternative)]
                for value in assumed
                if value.key not in given and not value.not_run
                for alternative in value.alternatives
            ]
        if len(found) == len(jobs):
            raise UsageError(
                "No assumed value has alternatives to run, so there is nothing to compare. State them, for example: "
                "dropout: 0.1  # assumed: not stated; {0.0, 0.1, 0.3}"
            )
        return list(self.split_overrides_to_chunks(found, max_batch_size))
