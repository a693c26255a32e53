"""``python tune.py``: search for what the paper does not state, by validation alone."""

import json
import os
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from ..identity import CONFIGS, ROOT, UsageError, run_name
from .build import processes
from .request import check_request
from .run import train

try:
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
    from optuna.trial import TrialState
    from optuna_integration import PyTorchLightningPruningCallback
except ModuleNotFoundError as error:
    raise UsageError(f'{error}. It is an extra: pip install -e ".[sweep]" -c constraints.txt') from None

ENDED = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]


def tune(cfg: DictConfig) -> None:
    """Train the trials that the study still lacks, and write the best one as a preset.

    Raises:
        UsageError: the configuration asks for what cannot be or must not be, or no trial was completed.
    """
    if cfg.monitor.metric is None:
        raise UsageError("tune.py: nothing says which trial is best. Set monitor.metric to a val/ metric.")
    check_request(cfg)  # once, and not as the failure of each trial
    if processes(cfg) > 1:
        raise UsageError("tune.py trains on one device. Set trainer.devices=1, and start it once for each device.")
    path = ROOT / "runs" / f"{run_name(cfg)}.journal"
    path.parent.mkdir(exist_ok=True)
    asked = hydra.utils.instantiate(cfg.tune, _convert_="all")
    journal = JournalFileBackend(str(path), JournalFileOpenLock(str(path)))
    study = asked["study"](study_name=path.stem, storage=optuna.storages.JournalStorage(journal))
    while len(study.get_trials(states=ENDED)) < asked["n_trials"]:
        _run_trial(study, study.ask(asked["space"]), cfg.monitor.metric)
    _write_preset(study, cfg.monitor.metric)


def _overrides(params: dict[str, Any]) -> list[str]:
    return [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in params.items()]


def _run_trial(study: optuna.Study, trial: optuna.Trial, metric: str) -> None:
    """Train one trial. An error ends this trial alone; Ctrl-C and a full disk end the command, which can go on later."""
    print(f"Trial {trial.number}:", *_overrides(trial.params))
    cfg = hydra.compose("tune", [*HydraConfig.get().overrides.task, *_overrides(trial.params)])
    try:
        study.tell(trial, train(cfg, PyTorchLightningPruningCallback(trial, metric)))
    except optuna.TrialPruned as pruned:
        study.tell(trial, state=TrialState.PRUNED)
        print(pruned)
    except Exception as error:
        if isinstance(error, UsageError) and isinstance(error.__context__, OSError):
            raise
        study.tell(trial, state=TrialState.FAIL)
        print(f"Trial {trial.number} failed: {error}")


def _write_preset(study: optuna.Study, metric: str) -> None:
    """Write the best trial as a preset, in which each value says that it was swept."""
    tried = study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED])
    if all(trial.state == TrialState.PRUNED for trial in tried):
        raise UsageError(f"No trial of {study.study_name} was completed, so none is the best. Try another tune.space.")
    found = f"{metric} {study.best_value:.4g} on validation, the best of {len(tried)} trials"
    experiment, best = HydraConfig.get().runtime.choices.experiment, study.best_params
    groups = [{f"override /{key}": best.pop(key)} for key in list(best) if (CONFIGS / key).is_dir()]
    values = OmegaConf.from_dotlist(_overrides({key.lstrip("+"): value for key, value in best.items()}))
    lines = OmegaConf.to_yaml({"defaults": [experiment, *groups], **values}).splitlines()
    lines[2:] = [line if line.endswith(":") else f"{line}  # assumed: swept, {found}" for line in lines[2:]]
    path = CONFIGS / "experiment" / f"{experiment}_swept.yaml"
    head = ["# @package _global_", f"# python train.py experiment={path.stem}"]
    path.write_text("\n".join([*head, *lines, ""]), encoding="utf-8")
    print(f"{found}: {os.path.relpath(path)}. Commit it before its runs that should count.")
