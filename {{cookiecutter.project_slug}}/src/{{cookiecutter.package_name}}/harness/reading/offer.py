"""What is proposed for each key of ``configs/``. The template reads the PDF by this before there is a repository."""

import re
from pathlib import Path

from .document import build
from .find import Found, find
from .plain import PAGE, marked
from .settings import SETTINGS

ANSWERS = {  # of the template, each with the key that it sets
    "optimizer": "/optimizer",
    "learning_rate": "optimizer.lr",
    "lr_schedule": "/scheduler",
    "warmup_steps": "scheduler.warmup_steps",
    "weight_decay": "optimizer.weight_decay",
    "batch_size": "data.batch_size",
    "max_epochs": "trainer.max_epochs",
    "gradient_clip": "trainer.gradient_clip_val",
    "precision": "trainer.precision",
}


def answers(text: str, configs: Path) -> dict[str, str]:
    """The answers to the template's questions of which the text of a PDF states one value, as ``3e-4 @ proposed: …``."""
    offered = proposals(find(build("paper.pdf", marked(text), pages=PAGE in text)), configs)
    found = {name: offered[key] for name, key in ANSWERS.items() if key in offered}
    if steps := offered.get("trainer.max_steps"):  # one budget, in epochs or in steps
        found["max_epochs"] = [*found.get("max_epochs", []), *steps]
    return {
        name: f"{ones[0].values[0]}{' steps' * (ones[0].setting == 'steps')} @ {comment(ones)}"
        for name, ones in found.items()
        if len(ones) == 1
    }


def proposals(found: list[Found], configs: Path) -> dict[str, list[Found]]:
    """The values that the paper states for each key that the files in ``configs`` know, each once."""
    listed: dict[str, dict[tuple, Found]] = {}
    for one in [*found, *_betas(found)]:
        setting = SETTINGS.get(one.setting)
        keys = setting.keys if setting else ("optimizer.betas",)
        key = next((key for key in keys if _known(key, one.values[0], configs)), None)
        if key and not one.grid and not one.setting.startswith("beta1") and one.setting != "beta2":
            listed.setdefault(key, {}).setdefault(one.values, one)
    return {key: list(values.values()) for key, values in listed.items()}


def _betas(found: list[Found]) -> list[Found]:
    """β1 and β2 of one sentence as the one setting that PyTorch makes of them."""
    pairs = []
    for second in (one for one in found if one.setting == "beta2" and not one.grid):
        first = next((one for one in found if one.setting == "beta1" and one.sentence == second.sentence), None)
        if first and not first.grid:
            begin = second.sentence.find(first.quote)
            end = second.sentence.find(second.quote) + len(second.quote)
            quote, values = second.sentence[begin:end], (f"[{first.values[0]}, {second.values[0]}]",)
            pairs.append(Found("betas", values, second.where, quote, second.place, sentence=second.sentence))
    return pairs


def _known(key: str, value: str, configs: Path) -> bool:
    """Whether an option of a group is there, or a file of the group sets the key."""
    if key.startswith("/"):
        return (configs / key[1:] / f"{value}.yaml").exists()
    group, name = key.split(".", 1)
    files = [*(configs / group).glob("*.yaml"), configs / "experiment" / "paper.yaml"]
    return any(re.search(rf"^\s*{re.escape(name)}:", path.read_text(encoding="utf-8"), re.MULTILINE) for path in files)


def comment(ones: list[Found]) -> str:
    """``proposed: 3e-4, Section 5.3: "a learning rate of 3e-4" (page 6)``, or all values where there are several."""
    if len(ones) == 1:
        return f"proposed: {ones[0].values[0]}, {ones[0].source}"
    listed = " or ".join(f"{one.values[0]} ({one.where}{one.place.on_page})" for one in ones[:4])
    return f"proposed: {listed}{' or …' if len(ones) > 4 else ''}: see READING.md"
