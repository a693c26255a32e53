"""Stub."""

from dataclasses import dataclass, field


@dataclass
class Value:
    file: str
    line: int
    key: str
    value: object
    source: str
    kind: str
    alternatives: list = field(default_factory=list)
    problems: list = field(default_factory=list)


def values(experiment):
    return []


def unstated(experiment):
    return []


def overridden(experiment):
    return []


def paper_text():
    return None


def override(value, alternative):
    return f"{value.key}={alternative}"
