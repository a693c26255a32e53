"""``python evaluate.py run=<dir> export=<folder>``: the tested weights for others, with a model card."""

from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf
from torch import nn

from ..evidence.targets import read_targets
from ..identity import ROOT, UsageError


def export(folder: Path, model: nn.Module, cfg: DictConfig, record: dict) -> None:
    """Write ``model.safetensors``, ``config.yaml`` and ``README.md``, a model card with the numbers of the record.

    Raises:
        UsageError: safetensors is not installed, or the folder is not empty.
    """
    try:
        from safetensors.torch import save_model
    except ModuleNotFoundError as error:
        raise UsageError(f'{error}. It is an extra: pip install -e ".[weights]" -c constraints.txt') from None
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"export={folder}: this folder is not empty. Choose a new one, as in export=weights.")
    folder.mkdir(parents=True, exist_ok=True)
    save_model(model, str(folder / "model.safetensors"))
    OmegaConf.save(OmegaConf.create({"model": OmegaConf.to_container(cfg.model, resolve=True)}), folder / "config.yaml")
    (folder / "README.md").write_text(_card(cfg, record), encoding="utf-8")
    print(f"Written: {', '.join(str(folder / path.name) for path in sorted(folder.iterdir()))}")


def _card(cfg: DictConfig, record: dict) -> str:
    """The text of the model card. Its head is what model hubs read."""
    paper, targets = cfg.paper, [target for target in read_targets(cfg.paper) if target.experiment == cfg.name]
    dataset = {"name": next((target.dataset for target in targets), "") or "unknown", "type": "other"}
    metrics = [
        {"type": name, "value": value} for name, value in sorted(record["metrics"].items()) if name[:5] == "test/"
    ]
    result = {"task": {"type": "other"}, "dataset": dataset, "metrics": metrics}
    head = {"library_name": "pytorch", "model-index": [{"name": paper.title, "results": [result]}]}
    rows = [
        f"| {target.metric} | {target.dataset} | {'' if target.value is None else f'{target.value:g}'} "
        f"| {record['metrics'][target.metric] * target.scale:.6g} | {target.unit} |"
        for target in targets
        if target.metric in record["metrics"]
    ]
    package = __package__.partition(".")[0]
    return "\n".join(
        [
            f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---",
            f"# {paper.title}\n",
            f"Weights of a reproduction of the paper ({', '.join(paper.authors) or 'authors unknown'}): {paper.url or ROOT.name}\n",
            "| metric | data | paper | these weights | unit |",
            "|---|---|---|---|---|",
            *rows,
            f"\nOne run of several: seed {record['seed']}, configuration `{record['digest']}`, commit `{record['git']['commit']}`, "
            f"step {record['tested']['step']}. The verdict over all seeds stands in the README of the repository.\n",
            f"```python\nfrom hydra.utils import instantiate  # where {package} is installed",
            "from omegaconf import OmegaConf",
            "from safetensors.torch import load_model\n",
            'model = instantiate(OmegaConf.load("config.yaml").model)',
            'load_model(model, "model.safetensors")\nmodel.eval()\n```\n',
        ]
    )
