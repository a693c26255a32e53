"""Where the repository lies, and what names a run: its configuration's digest and its seed."""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import CompactHydraException
from omegaconf import DictConfig, OmegaConf

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs"

# Names, places and outputs of a run: none of it changes what is computed
NOT_IDENTITY = {"hydra", "paper", "name", "seed", "run", "resume", "results", "logger"}
NOT_IDENTITY |= {"threads", "compile", "channels_last", "float32_matmul"}
NOT_IDENTITY_OF = {
    # devices multiply the batch, so they are part of the experiment
    "trainer": {"accelerator", "strategy", "enable_progress_bar", "profiler", "log_every_n_steps"},
    "callbacks": {"last", "finite", "learning_rate", "progress", "lines", "threads"},
    "data": {"num_workers"},
    "optimizer": {"fused"},
    "tune": {"n_trials", "study"},
}


class UsageError(CompactHydraException):
    """A mistake of the person at the keyboard: its message says all, so they see it without a traceback."""


@functools.cache  # it takes as long as all else of a report
def compose(*overrides: str) -> DictConfig:
    """The configuration that ``train.py`` would have with these overrides. Each call returns it: change a copy."""
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return hydra.compose("train", list(overrides))


def identity(cfg: DictConfig) -> dict:
    """What decides the result of a run, apart from its seed: the resolved settings without names and hardware."""
    neutral = cfg.copy()
    neutral.update({"run": {"dir": ""}, "name": "", "seed": -1})  # other settings may refer to them
    settings = {
        key: OmegaConf.to_container(neutral[key], resolve=True) if OmegaConf.is_config(neutral[key]) else neutral[key]
        for key in neutral
        if key not in NOT_IDENTITY
    }
    for group, keys in NOT_IDENTITY_OF.items():
        if isinstance(settings.get(group), dict):  # optimizer: null, of a procedure that has its own
            settings[group] = {key: value for key, value in settings[group].items() if key not in keys}
    if isinstance(devices := settings["trainer"]["devices"], list):  # which ones does not matter
        settings["trainer"]["devices"] = len(devices)
    return settings


def digest(cfg: DictConfig) -> str:
    """Eight hexadecimal digits that name the configuration: equal digests, equal experiments."""
    return hashlib.sha256(json.dumps(identity(cfg), sort_keys=True).encode()).hexdigest()[:8]


def run_name(cfg: DictConfig) -> str:
    """``<experiment>-<digest>-seed<k>``, the name of a run's folder and of its record."""
    return f"{cfg.name}-{digest(cfg)}-seed{cfg.seed}"


def flat(settings: dict, prefix: str = "") -> dict[str, Any]:
    """``{"optimizer": {"lr": 1}}`` as ``{"optimizer.lr": 1}``."""
    found = {}
    for key, value in settings.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}": value}
    return found


def differences(left: dict, right: dict, there: str = "there", here: str = "here") -> str:
    """The first five keys in which two mappings differ, with both values; empty where they do not."""
    left, right = flat(left), flat(right)
    values = {key: (left.get(key, "not"), right.get(key, "not")) for key in sorted(left.keys() | right.keys())}
    found = [f"{key} ({a} {there}, {b} {here})" for key, (a, b) in values.items() if a != b]
    return ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
