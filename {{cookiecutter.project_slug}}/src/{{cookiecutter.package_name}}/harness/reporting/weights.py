"""``python report.py --weights``: for each run that counts a folder with weights, configuration and model card."""

from collections.abc import Callable
from pathlib import Path

from omegaconf import OmegaConf

from ..evidence.claims import Evidence
from ..identity import ROOT, UsageError
from .cells import cells, number
from .markdown import escaped
from .report import name_of
from .text import one_line

LOAD = """
```python
cfg = OmegaConf.load("config.yaml")
model = hydra.utils.instantiate(cfg.model)
weights = safetensors.torch.load_file("model.safetensors")
model.load_state_dict({k.removeprefix("model."): v for k, v in weights.items() if k.startswith("model.")})
```
"""


def write_weights(evidence: Evidence, run: str, export: Callable[[dict, Path], None]) -> list[str]:
    """Write ``weights/<run>/`` for each run that counts, or for the one named; returns the folders.

    Args:
        evidence: which runs count.
        run: the name or folder of a run; empty for all.
        export: writes the weights of a record to a path.

    Raises:
        UsageError: there is no such run, or its weights cannot be written.
    """
    here = [Path(folder).name for folder in evidence.counted_folders()]
    chosen = [name for name in here if not run or name == Path(run).name]
    if not chosen:
        raise UsageError(f"No such run counts and lies in runs/. Those that do: {', '.join(here) or 'none'}.")
    folders = []
    for name in chosen:
        folder = ROOT / "weights" / name
        record = evidence.counted[name]
        export(record, folder / "model.safetensors")
        OmegaConf.save(OmegaConf.create(record["config"]), folder / "config.yaml")
        (folder / "README.md").write_text(_card(evidence, record), encoding="utf-8")
        folders.append(name_of(folder))
    return folders


def _card(evidence: Evidence, record: dict) -> str:
    """The model card; its numbers are those of the record."""
    paper, columns = evidence.paper, ["metric", "data", "paper", "this run", "all runs that count", "verdict"]
    lines = ["---", "library_name: pytorch", "tags: [reproduction]", "---", f"# {escaped(one_line(paper.title))}", ""]
    lines += [f"Weights of a reproduction of {escaped(one_line(paper.get('url') or 'this paper'))}.", ""]
    lines += [f"| {' | '.join(texts)} |" for texts in (columns, ["---"] * len(columns))]
    for row in evidence.results:
        if record in row.counted:
            shown, target = cells(row), row.target
            this = f"{number(row.value_of(record))} {target.unit}".strip()
            texts = [shown["metric"], shown["data"], shown["paper"], this, shown["ours"], shown["verdict"]]
            lines.append(f"| {' | '.join(escaped(text) for text in texts)} |")
    tested = record["tested"]
    facts = {
        "experiment": f"{record['experiment']}, seed {record['seed']}",
        "commit": record["git"]["commit"],
        "checkpoint": f"{tested['checkpoint']}, after step {tested['step']}; SHA-256 {tested['sha256']}",
        "versions": ", ".join(f"{name} {version}" for name, version in record["versions"].items()),
    }
    return "\n".join([*lines, "", *(f"- {key}: {escaped(value)}" for key, value in facts.items()), LOAD])
