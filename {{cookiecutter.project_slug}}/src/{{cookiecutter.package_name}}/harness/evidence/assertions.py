"""Which parts of the paper a test verifies: a plugin of pytest, which ``tests/conftest.py`` registers.

A test verifies a part that it cites if it executes an assertion, or expects an error, and code that cites the same part.
"""

import ast
import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import pytest

from ..identity import PACKAGE, ROOT
from .citations import Place, cited_by_tests, code_places, scopes
from .record import parsed

# How the names of functions that assert begin
ASSERTING = ("assert", "raises", "warns", "fail", "gradcheck", "climb")
_scopes = functools.cache(lambda path: scopes(parsed(Path(path))))
SOURCE, TESTS = f"{PACKAGE}{os.sep}", f"{ROOT / 'tests'}{os.sep}"


class Assertions:
    """Notes in ``user_properties`` of each test that cites parts of the paper which of them it verifies."""

    def __init__(self):
        self.cited, self.places = cited_by_tests(), code_places()
        self.prepared: dict[str, set[CodeType]] = {}  # what each fixture has executed: some are shared by many tests
        self.busy = sys.gettrace() is not None  # a debugger or coverage traces, so that we cannot

    @contextmanager
    def _watched(self, executed: set[CodeType]) -> Iterator[list[bool]]:
        """Collect the code of the package that is executed; the list gets an entry when an assertion is."""
        asserted: list[bool] = []

        def on_call(frame: FrameType, event: str, argument: object):
            if frame.f_code.co_filename.startswith(SOURCE):
                executed.add(frame.f_code)
            return on_line if frame.f_code.co_filename.startswith(TESTS) else None

        def on_line(frame: FrameType, event: str, argument: object):
            if event == "line" and frame.f_lineno in _asserting_lines(frame.f_code.co_filename):
                asserted.append(True)
            return on_line

        before = sys.gettrace()  # of a fixture that asks for this one
        sys.settrace(on_call)
        try:
            yield asserted
        finally:
            sys.settrace(before)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef) -> Iterator[None]:
        if not self.cited or self.busy:
            return (yield)
        with self._watched(self.prepared.setdefault(fixturedef.argname, set())):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        names = self.cited.get(item.nodeid.partition("[")[0], [])
        if not names or self.busy:
            item.user_properties.append(("verifies", names))
            return (yield)
        executed = set().union(*(self.prepared.get(name, []) for name in item.fixturenames))
        with self._watched(executed) as asserted:
            result = yield
        if asserted:
            verified = [name for name in names if _involved(self.places.get(name, []), executed)]
            item.user_properties.append(("verifies", verified))
        return result


def _involved(places: list[Place], executed: set[CodeType]) -> bool:
    """Whether code in one of the places was executed; a place without a function in it needs no execution."""
    ran = {(code.co_filename, code.co_firstlineno) for code in executed}
    for place in places:
        path = str(ROOT / place.file)
        inside = {
            (path, first)
            for first, _, name, node in _scopes(path)
            if isinstance(node, ast.FunctionDef) and f"{name}.".startswith(f"{place.symbol}.".lstrip("."))
        }
        if not inside or inside & ran:
            return True
    return not places


@functools.cache
def _asserting_lines(path: str) -> set[int]:
    """The lines of each assertion that can fail, and of each call of a function that asserts."""
    lines: set[int] = set()
    for node in ast.walk(parsed(Path(path))):
        called = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
        can_fail = isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant)
        if can_fail or called.startswith(ASSERTING):
            lines |= set(range(node.lineno, node.end_lineno + 1))
    return lines
