"""The report on the terminal."""

from textwrap import shorten

from .cells import cells
from .report import Report
from .text import columns, one_line
from .todo import steps_left

SHOWN = 16  # lines of a list


def printed(known: Report) -> str:
    """The table, what does not count, and what is left to do."""
    lines = ["", f"{one_line(known.paper.title)} · status: {known.status}"]
    lines += [f"{heading}: {'; '.join(items)}." for heading, items in known.notes.items()]
    for table, rows in known.evidence.tables().items():
        shown = [cells(row) for row in rows]
        lines += ["", *([one_line(table)] if table else [])]
        lines += columns([list(shown[0]), *(list(row.values()) for row in shown)])
    uncounted = []
    for why, runs in known.uncounted.items():
        others = f" and {len(runs) - 1} more" if runs[1:] else ""
        uncounted.append(f"  not counted: {runs[0]}{others} ({shorten(why, 200, placeholder=' …')})")
    lines += _shortened(uncounted)
    effects = [effect for effect in known.effects if effect.found]
    if changes := [[f"{e.row.target.row}: {e.change}", e.row.target.metric, e.as_text()] for e in effects]:
        lines += ["", "What an alternative changes:", *_shortened(columns(changes))]
    if left := steps_left(known):
        lines += ["", "Left to do, the next step first:"]
        lines += _shortened(columns([[step.where, step.what] for step in left]))
    return "\n".join(lines)


def _shortened(lines: list[str]) -> list[str]:
    return lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"  … and {len(lines) - SHOWN} more: REPORT.html"]
