"""Stub."""


class Part:
    pass


def parts(outcomes):
    return []


def outcomes(write=True):
    return {}, "the tests have not been run since the code changed: pytest"
