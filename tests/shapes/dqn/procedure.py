"""Algorithm 1."""

import copy

import torch

from .data import Corridor
from .harness.procedure import Procedure


class PaperProcedure(Procedure):
    """Q-learning with a replay buffer and a target network."""

    def __init__(self, gamma: float, every: int, epsilon: float, batch_size: int, **parts):
        super().__init__(**parts)
        self.gamma, self.every, self.epsilon, self.batch_size = gamma, every, epsilon, batch_size
        self.target = copy.deepcopy(self.model).requires_grad_(False)
        self.world, self.buffer = Corridor(), []
        self.now = self.world.reset()

    @torch.no_grad()
    def play(self):
        explores = torch.rand(()) < self.epsilon
        action = int(torch.randint(2, ()) if explores else self.model(self.now).argmax())
        after, reward, done = self.world.step(action)
        self.buffer.append((self.now, action, reward, after, float(done)))
        self.now = self.world.reset() if done else after

    def step(self, batch, metrics):
        self.play()
        chosen = torch.randint(len(self.buffer), (self.batch_size,)).tolist()
        s, a, r, n, d = zip(*(self.buffer[k] for k in chosen), strict=True)
        with torch.no_grad():
            y = torch.tensor(r) + self.gamma * (1 - torch.tensor(d)) * self.target(torch.stack(n)).amax(1)
        return self.loss(self.model(torch.stack(s)).gather(1, torch.tensor(a)[:, None]).squeeze(1), y)

    def on_train_batch_end(self, outputs, batch, batch_idx):
        if self.global_step % self.every == 0:
            self.target.load_state_dict(self.model.state_dict())

    def on_save_checkpoint(self, checkpoint):
        checkpoint["played"] = {"buffer": self.buffer, "at": self.world.at, "time": self.world.time}

    def on_load_checkpoint(self, checkpoint):
        played = checkpoint["played"]
        self.buffer, self.world.at, self.world.time = played["buffer"], played["at"], played["time"]
        self.now = self.world.state()

    def test_step(self, batch, batch_idx):
        world, total = Corridor(), 0.0
        state, done = world.reset(), False
        while not done:
            state, reward, done = world.step(int(self.model(state).argmax()))
            total += reward
        self.log("test/return", total)
