"""Callbacks that Lightning does not have."""

import logging
import math
import os
from pathlib import Path
from typing import Any

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import move_data_to_device
from omegaconf import OmegaConf
from torch import Tensor

from ..identity import UsageError

log = logging.getLogger(__name__)


class FiniteLoss(Callback):
    """Stops a training whose loss is not finite, before its gradient reaches the weights.

    The batch, the weights and the random state of that step are saved, so that ``replay`` can run it again.

    Args:
        dirpath: folder of the run.
    """

    def __init__(self, dirpath: str):
        self.path = Path(dirpath) / "nonfinite.pt"

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.batch, self.random = batch, torch.get_rng_state()

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        if math.isfinite(loss.item()):
            return
        terms = {"loss": loss, **pl_module.terms}
        saved = {
            "step": trainer.global_step,
            "terms": {name: term.detach() for name, term in terms.items()},
            "batch": self.batch,
            "state_dict": pl_module.state_dict(),
            "random": self.random,
        }
        torch.save(move_data_to_device(saved, torch.device("cpu")), self.path)
        package, path = __name__.split(".")[0], os.path.relpath(self.path)
        raise UsageError(
            f"The loss is not finite at step {saved['step']} (epoch {trainer.current_epoch}): "
            f"{', '.join(f'{name} {term:.4g}' for name, term in saved['terms'].items())}. Training has stopped, before "
            f"the weights were changed. The step, with its batch, is in {path}; to run it again:\n"
            f"  python -c \"from {package}.harness.callbacks import replay; replay('{path}')\""
        )


class OwnNoise(Callback):
    """Lets each process draw noise of its own; the order of samples, which all must know, is not drawn from here.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.global_rank > 0:  # after Lightning has given all processes the same seed
            torch.manual_seed(self.seed + 1_000_003 * trainer.global_rank)


class Prune(Callback):
    """Ends a trial of ``sweep=optuna`` that is worse than the others were by then; what it had reached is its value.

    Hydra's sweeper keeps its trials to itself, but not their storage: there, this one is the last that runs with the
    overrides of this job.

    Args:
        monitor: what is compared at each validation.
        pruner: of Optuna, decides by the values of all trials; it counts steps.
    """

    def __init__(self, monitor: str, pruner: Any):
        self.monitor, self.pruner = monitor, pruner
        self.trial: Any = None  # in the first process alone

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        import optuna

        job = HydraConfig.get()
        study = optuna.load_study(job.sweeper.study_name, job.sweeper.storage, pruner=self.pruner)
        running = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING])
        given = set(job.overrides.task)
        own = [trial for trial in running if {f"{name}={value}" for name, value in trial.params.items()} <= given]
        self.trial = optuna.trial.Trial(study, own[-1]._trial_id) if own else None

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        worse = False
        if self.trial is not None:
            self.trial.report(float(trainer.callback_metrics[self.monitor]), trainer.global_step)
            worse = self.trial.should_prune()
        if worse:
            log.info("Pruned at step %d", trainer.global_step)
        trainer.should_stop |= trainer.strategy.broadcast(worse)


def replay(path: str) -> tuple[L.LightningModule, Any]:
    """Run the step of ``nonfinite.pt`` again, on the CPU, and say which operation gave what is not finite.

    Returns:
        The procedure as it was before the step, and the batch.
    """
    from .build import build_procedure  # which needs the callbacks

    saved = torch.load(path, map_location="cpu", weights_only=True)
    procedure = build_procedure(OmegaConf.load(Path(path).with_name("config.yaml"))).train()
    procedure.load_state_dict(saved["state_dict"])
    first = []

    def watch(name: str):
        def hook(module: torch.nn.Module, inputs: Any, output: Any) -> None:
            values = [value for value in torch.utils._pytree.tree_leaves(output) if torch.is_tensor(value)]
            if not first and not all(value.isfinite().all() for value in values if value.is_floating_point()):
                first.append(name)

        return hook

    for name, module in procedure.named_modules():
        module.register_forward_hook(watch(name))
    torch.set_rng_state(saved["random"])
    terms = procedure.step(saved["batch"], procedure.train_metrics)
    print(f"step {saved['step']}: {', '.join(f'{name} {term.item():.4g}' for name, term in terms.items())}")
    print(f"The first module whose output is not finite: {first[0]}" if first else "Every module's output is finite.")
    return procedure, saved["batch"]
