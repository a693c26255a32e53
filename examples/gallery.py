"""Write what the examples have reached into their README files and the template's, from their own records.

``python examples/gallery.py`` bakes each example, lays its ``results/`` beside it and asks its ``report.py``.
"""

import contextlib
import json
import re
import sys
import tempfile
from pathlib import Path

from run import TEMPLATE, bake, run

ASK = """
import json
from {package}.harness.reporting.cells import cells
from {package}.harness.reporting.report import report
known = report(write=False)
counted = {{record["run"]: record["wall_time_s"] for row in known.rows for record in row.counted}}
told = {{"title": known.paper.title, "rows": [cells(row) for row in known.rows]}}
print(json.dumps(told | {{"seconds": sum(counted.values())}}))
"""
COLUMNS = ["experiment", "metric", "data", "paper", "ours", "95 % interval", "tolerance", "verdict"]


def known(paper: str, folder: Path) -> dict:
    """What the report says of an example, and how much of its repository was written by hand."""
    repository = bake(paper, folder)
    (repository / "results").mkdir(exist_ok=True)
    for path in (TEMPLATE / "examples" / paper).glob("results/*-seed*.json"):
        (repository / "results" / path.name).write_bytes(path.read_bytes())
    told = json.loads(run(repository, "python", "-c", ASK.format(package=repository.name.replace("-", "_"))))
    changes = run(repository, "git", "diff", "--shortstat", "HEAD~1", "HEAD")
    told["files"], told["added"] = (re.search(rf"(\d+) {what}", changes)[1] for what in ("file", "insertion"))
    told["figure"] = next((TEMPLATE / "examples" / paper).glob("figures/*.svg"), None)
    return told


def between(text: str, name: str, content: str) -> str:
    """``text`` with other content between ``<!-- name:begin -->`` and ``<!-- name:end -->``."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if not (begin in text and end in text):
        sys.exit(f"There is no {begin} … {end} to write between.")
    return f"{text[: text.index(begin)]}{begin}\n{content}\n{text[text.index(end) :]}"


def table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def rows(told: dict) -> str:
    used = [column for column in COLUMNS if any(row[column] != "–" for row in told["rows"])]
    return table(used, [[row[column] for column in used] for row in told["rows"]])


def overview(examples: dict[str, dict]) -> str:
    lines = []
    for paper, told in examples.items():
        reached = ["{experiment}: `{metric}` {paper} → {ours}, {verdict}".format(**row) for row in told["rows"]]
        figure = told["figure"] and f'<img src="{told["figure"].relative_to(TEMPLATE).as_posix()}" width="240">'
        verdicts = [row["verdict"] for row in told["rows"]]
        status = f"**{sum(v.startswith('reproduced') for v in verdicts)} of {len(verdicts)} reproduced**"
        size = f"{told['added']} lines in {told['files']} files"
        minutes = f"{max(1, round(told['seconds'] / 60))} min"
        lines.append(
            [f"[{told['title']}](examples/{paper})<br>{status}", "<br>".join(reached), figure or "", minutes, size]
        )
    return table(["paper", "paper → ours", "figure", "all runs, as recorded", "written by hand"], lines)


def main() -> None:
    papers = sorted(path.parent.name for path in TEMPLATE.glob("examples/*/README.md"))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(None):
        examples = {paper: known(paper, Path(folder)) for paper in papers}
    for paper, told in examples.items():
        readme = TEMPLATE / "examples" / paper / "README.md"
        readme.write_text(between(readme.read_text(encoding="utf-8"), "rows", rows(told)), encoding="utf-8")
    readme = TEMPLATE / "README.md"
    readme.write_text(between(readme.read_text(encoding="utf-8"), "gallery", overview(examples)), encoding="utf-8")


if __name__ == "__main__":
    main()
