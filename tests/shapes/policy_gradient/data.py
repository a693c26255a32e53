"""The environment and its rollouts."""

from typing import NamedTuple

import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset


class Rollout(NamedTuple):
    states: Tensor
    actions: Tensor
    rewards: Tensor
    alive: Tensor


class Walk:
    """States 0 … S-1, a start in the middle. The right end pays 1, the left end 0.3, each step costs 0.01.

    An action fails, and goes the other way, with probability 0.1.
    """

    def __init__(self, states: int, steps: int, generator: torch.Generator):
        self.states, self.steps, self.generator = states, steps, generator

    @torch.no_grad()
    def play(self, policy: nn.Module, episodes: int) -> Rollout:
        state, alive, seen = torch.full((episodes,), self.states // 3), torch.ones(episodes), []
        for _ in range(self.steps):
            pi = policy(state).softmax(-1)
            action = torch.multinomial(pi, 1, generator=self.generator).squeeze(1)
            fails = torch.rand(episodes, generator=self.generator) < 0.1
            move = torch.where(fails, 1 - 2 * action, 2 * action - 1)
            new = torch.where(alive > 0, state + move, state)
            reward = alive * ((new == self.states - 1).float() + 0.3 * (new == 0) - 0.01)
            seen.append(Rollout(state, action, reward, alive))
            state, alive = new, alive * ((new > 0) & (new < self.states - 1))
        return Rollout(*(torch.stack(part, 1) for part in zip(*seen, strict=True)))


class Rollouts(IterableDataset):
    """One rollout of the present policy; so an epoch is one update."""

    def __init__(self, data: "PaperDataModule"):
        self.data = data

    def __len__(self):
        return 1

    def __iter__(self):
        rollout = self.data.walk.play(self.data.trainer.lightning_module.model, self.data.episodes)
        self.data.last_return = rollout.rewards.sum(1).mean().item()
        returns = rollout.rewards.flip(1).cumsum(1).flip(1)  # undiscounted
        yield rollout.states, rollout.actions, returns, rollout.alive


class PaperDataModule(L.LightningDataModule):
    """Rollouts in training, and as many new ones as the test batch is long.

    Args:
        states: S of the walk.
        steps: the longest episode.
        episodes: of a rollout.
        seed: of the environment.
    """

    def __init__(self, states: int, steps: int, episodes: int, seed: int):
        super().__init__()
        self.episodes, self.last_return = episodes, 0.0
        self.generator = torch.Generator().manual_seed(seed)
        self.walk = Walk(states, steps, self.generator)

    def setup(self, stage=None):
        if stage == "test":
            self.walk.generator = torch.Generator().manual_seed(1_000)

    def train_dataloader(self):
        return DataLoader(Rollouts(self), batch_size=None)

    def test_dataloader(self):
        return DataLoader(TensorDataset(torch.zeros(500)), 500)

    def state_dict(self):
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state):
        self.generator.set_state(state["generator"])
