"""Model with a value prefix: rewards as differences of predicted sums (EfficientZero, 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Generator, Tensor, nn
from typing_extensions import override

from workbench.models.composed import LearnedModel
from workbench.models.value_encoding import ValueEncoding
from workbench.models.world_model import WorldModel
from workbench.types import Edge, Heads, Latent, State, tree_map, where


@dataclass(frozen=True)
class RewardState:
    """State of the reward LSTM since the last start; zeros at a start."""

    hidden: Tensor  # [B, units]
    cell: Tensor  # [B, units]
    prefix: Tensor  # [B] predicted sum of the rewards since the start
    steps: Tensor  # [B] int64 number of steps since the start


@dataclass(frozen=True)
class LatentWithReward:
    """A latent with the reward LSTM's state."""

    earned: RewardState
    code: Tensor  # [B, *latent]


class RewardLSTM(nn.Module):
    """LSTM over unrolled latents; its output is added to the latent for the reward head."""

    def __init__(self, shape: tuple[int, ...], units: int) -> None:
        super().__init__()
        self.units, self._shape = units, shape
        self.cell = nn.LSTMCell(prod(shape), units)
        self.out = nn.Linear(units, prod(shape))

    def blank(self, code: Tensor) -> RewardState:
        """Return the initial state for a batch of latents."""
        nothing = code.new_zeros(len(code))
        memory = code.new_zeros(len(code), self.units)
        return RewardState(memory, memory, nothing, nothing.long())

    def forward(self, code: Tensor, earned: RewardState) -> tuple[Tensor, Tensor, Tensor]:
        """Return the input of the reward head [B, *shape], and the next hidden and cell state."""
        hidden, cell = self.cell(code.flatten(1), (earned.hidden, earned.cell))
        return code + self.out(hidden).unflatten(1, self._shape), hidden, cell


class PrefixModel(WorldModel):
    """Learned model whose reward is the increase of the predicted sum of rewards.

    The reward and termination heads read the latent plus the LSTM's output. Instead of the reward
    they predict the undiscounted sum of the rewards since the root. After `horizon` steps the
    LSTM's state and the sum restart from 0; the reward of the next step is the new sum itself.
    """

    def __init__(self, learned: LearnedModel, reward_lstm: RewardLSTM, horizon: int) -> None:
        super().__init__()
        self.spec = learned.spec
        self.learned, self.reward_lstm, self._horizon = learned, reward_lstm, horizon

    @override
    def represent(
        self, observation: Tensor, generator: Generator, state: State | None = None
    ) -> LatentWithReward:
        code = self.learned.represent(observation, generator)
        return LatentWithReward(self.reward_lstm.blank(code), code)

    @override
    def step(
        self, latent: Latent, action: Tensor, generator: Generator
    ) -> tuple[LatentWithReward, Edge]:
        code = self.learned.imagine(latent.code, action)
        over = latent.earned.steps == self._horizon
        before = where(over, tree_map(torch.zeros_like, latent.earned), latent.earned)
        read, hidden, cell = self.reward_lstm(code, before)
        edge = self.learned.edge(read)
        earned = RewardState(hidden, cell, edge.reward, before.steps + 1)
        raw = {"value_prefix" if name == "reward" else name: t for name, t in edge.raw.items()}
        reward = edge.reward - before.prefix
        return LatentWithReward(earned, code), replace(edge, reward=reward, raw=raw)

    @override
    def predict(self, latent: Latent) -> Heads:
        return self.learned.predict(latent.code)

    @override
    def predict_all(self, latents: Sequence[Latent]) -> Heads:
        return self.learned.predict_all([latent.code for latent in latents])

    @override
    def decode(self, latent: Latent) -> Tensor:
        return self.learned.decode(latent.code)

    @override
    def latent_tensor(self, latent: Latent) -> Tensor:
        code: Tensor = latent.code
        return code

    @property
    def value_encodings(self) -> dict[str, ValueEncoding]:
        """Encodings of the heads; the reward encoding applies to the sums."""
        known = self.learned.value_encodings
        return {"value_prefix" if name == "reward" else name: e for name, e in known.items()}

    @override
    def parts(self) -> dict[str, nn.Module]:
        return {**self.learned.parts(), "value_prefix": self.reward_lstm}
