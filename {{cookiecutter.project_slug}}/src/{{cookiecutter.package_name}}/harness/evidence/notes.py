"""What a person wrote down: known differences from the paper, and its ambiguities."""

import ast
import re

from ..identity import PACKAGE, ROOT


def differences() -> list[str]:
    """The items of "Known differences from paper:" in the package's docstring."""
    docstring = ast.get_docstring(ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))) or ""
    section = re.search(r"^Known differences from paper:\n((?:[ \t]+.*\n?|\n)*)", docstring, re.MULTILINE)
    items = re.split(r"^\s*(?:- |(?=TODO))", section[1], flags=re.MULTILINE)[1:] if section else []
    return [" ".join(item.split()) for item in items]


def ambiguities() -> list[list[str]]:
    """The table under "Ambiguities" of PAPER.md, its head first."""
    notes = (ROOT / "PAPER.md").read_text(encoding="utf-8")
    section = re.search(r"^## Ambiguities\n(.*?)(?=^## |\Z)", notes, re.DOTALL | re.MULTILINE)
    lines = re.findall(r"^\|(.*)\|[ \t]*$", section[1], re.MULTILINE) if section else []
    rows = [[cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    return [row for row in rows if any(set(cell) - set("-: ") for cell in row)]
