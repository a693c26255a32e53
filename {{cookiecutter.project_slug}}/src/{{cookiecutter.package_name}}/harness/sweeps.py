"""``python train.py -m experiment=paper sweep=ambiguities``: what if it is not as was assumed?"""

import functools

from .annotations import CONFIGS, Value
from .provenance import values
from .settings import UsageError

EXAMPLE = "dropout: 0.1  # assumed: not stated; {0.0, 0.1, 0.3}"


def with_alternatives(jobs: list[list[str]], experiment: str) -> list[list[str]]:
    """Each job, as its overrides, followed by the same with one alternative of one assumed value at a time.

    Args:
        jobs: What the user asks for. A value that is given there is not varied.
        experiment: That of the jobs that name none.

    Returns:
        The jobs; none where nothing is assumed and has alternatives, which is then said.

    Raises:
        UsageError: Alternatives cannot be read.
    """
    found = []
    for job in jobs:
        given = dict(override.lstrip("+~").partition("=")[::2] for override in job)
        found.append(job)
        for value in _assumed(given.get("experiment", experiment)):
            others = [] if value.key in given else value.alternatives
            found += [[*job, f"{value.key}={other if value.group else _spelled(other)}"] for other in others]
    if len(found) > len(jobs):
        return found
    print(f"No assumed value has alternatives, so there is nothing to compare. One that has: {EXAMPLE}")
    return []


@functools.cache
def _assumed(experiment: str) -> list[Value]:
    if not (CONFIGS / "experiment" / f"{experiment}.yaml").exists():
        return []  # Hydra will say so
    assumed = [value for value in values(experiment) if value.kind == "assumed"]
    wrong = [
        f"{value.file}:{value.line}: {said}" for value in assumed for said in value.problems if "alternatives" in said
    ]
    if wrong:
        raise UsageError("\n".join(wrong))
    return assumed


def _spelled(value: object) -> str:
    """A value as Hydra reads it on the command line."""
    if isinstance(value, list):
        return f"[{','.join(map(_spelled, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{_spelled(item)}' for key, item in value.items())}}}"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return "null" if value is None else str(value).lower()
