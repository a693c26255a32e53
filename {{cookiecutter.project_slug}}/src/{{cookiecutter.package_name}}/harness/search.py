"""``sweep=optuna``: what is done before the first trial and after the last."""

import os
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from .identity import ROOT, UsageError, refuse_test_metrics


class Search(Callback):
    """Writes the best trial of the study as a preset, in which each value says that it was swept."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        refuse_test_metrics(config)
        if config.monitor.metric is None:
            raise UsageError("sweep=optuna: nothing says which trial is best. Set monitor.metric to a val/ metric.")
        (ROOT / "runs").mkdir(exist_ok=True)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        import optuna

        sweeper, experiment = config.hydra.sweeper, config.hydra.runtime.choices.experiment
        study = optuna.load_study(study_name=sweeper.study_name, storage=sweeper.storage)
        trials = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
        found = f"{config.monitor.metric} {study.best_value:.4g} on validation, the best of {len(trials)} trials"
        groups = {key for key in study.best_params if (ROOT / "configs" / key).is_dir()}
        values = [f"{key.lstrip('+')}={value}" for key, value in study.best_params.items() if key not in groups]
        lines = [f"  - override /{key}: {study.best_params[key]}" for key in sorted(groups)]
        lines += ["", *OmegaConf.to_yaml(OmegaConf.from_dotlist(values)).splitlines()] if values else []
        sourced = [line if line.endswith(":") or not line else f"{line}  # assumed: swept, {found}" for line in lines]
        path = ROOT / "configs" / "experiment" / f"{experiment}_swept.yaml"
        head = ["# @package _global_", f"# python train.py experiment={path.stem}", "defaults:", f"  - {experiment}"]
        path.write_text("\n".join([*head, *sourced, ""]), encoding="utf-8")
        print(f"{found}: {os.path.relpath(path)}. Commit it before its runs that should count.")
