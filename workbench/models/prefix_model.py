"""A model whose rewards are read from sums: the value prefix (EfficientZero, Ye et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Generator, Tensor, nn

from workbench.models.composed import LearnedModel
from workbench.models.value_encoding import Codec
from workbench.models.world_model import WorldModel
from workbench.types import Edge, Heads, Latent, State, choose, map_tensors


@dataclass(frozen=True)
class Earned:
    """What was earned since the start, as an LSTM has it; of zeros at a start."""

    hidden: Tensor  # [B, units]
    cell: Tensor  # [B, units]
    prefix: Tensor  # [B] predicted sum of the rewards since the start
    steps: Tensor  # [B] int64, since the start


@dataclass(frozen=True)
class Prefixed:
    """What is imagined, and what was earned on the way."""

    earned: Earned
    code: Tensor  # [B, *latent]


class Ledger(nn.Module):
    """An LSTM along imagined codes, and what it adds to a code for the heads of an edge to read."""

    def __init__(self, shape: tuple[int, ...], units: int) -> None:
        super().__init__()
        self.units, self._shape = units, shape
        self.cell = nn.LSTMCell(prod(shape), units)
        self.out = nn.Linear(units, prod(shape))

    def blank(self, code: Tensor) -> Earned:
        """At the start, for a batch of codes."""
        nothing = code.new_zeros(len(code))
        memory = code.new_zeros(len(code), self.units)
        return Earned(memory, memory, nothing, nothing.long())

    def forward(self, code: Tensor, earned: Earned) -> tuple[Tensor, Tensor, Tensor]:
        """What the heads read [B, *shape], and the next hidden and cell."""
        hidden, cell = self.cell(code.flatten(1), (earned.hidden, earned.cell))
        return code + self.out(hidden).unflatten(1, self._shape), hidden, cell


class PrefixModel(WorldModel):
    """A learned model whose reward of a step is by how much the predicted sum of rewards grows.

    The heads of an edge write the undiscounted sum of the rewards since the root where they would
    have written the reward, and read the code with what the LSTM adds to it. After `horizon` steps
    memory and sum begin anew, and a step's reward is then the sum itself.
    """

    def __init__(self, learned: LearnedModel, ledger: Ledger, horizon: int) -> None:
        super().__init__()
        self.spec = learned.spec
        self.learned, self.ledger, self._horizon = learned, ledger, horizon

    def represent(
        self, observation: Tensor, generator: Generator, state: State | None = None
    ) -> Prefixed:
        code = self.learned.represent(observation, generator)
        return Prefixed(self.ledger.blank(code), code)

    def step(self, latent: Latent, action: Tensor, generator: Generator) -> tuple[Prefixed, Edge]:
        code = self.learned.imagine(latent.code, action)
        over = latent.earned.steps == self._horizon
        before = choose(over, map_tensors(torch.zeros_like, latent.earned), latent.earned)
        read, hidden, cell = self.ledger(code, before)
        edge = self.learned.edge(read)
        earned = Earned(hidden, cell, edge.reward, before.steps + 1)
        raw = {"value_prefix" if name == "reward" else name: t for name, t in edge.raw.items()}
        reward = edge.reward - before.prefix
        return Prefixed(earned, code), replace(edge, reward=reward, raw=raw)

    def predict(self, latent: Latent) -> Heads:
        return self.learned.predict(latent.code)

    def predict_all(self, latents: Sequence[Latent]) -> Heads:
        return self.learned.predict_all([latent.code for latent in latents])

    def decode(self, latent: Latent) -> Tensor:
        return self.learned.decode(latent.code)

    def code(self, latent: Latent) -> Tensor:
        code: Tensor = latent.code
        return code

    @property
    def codecs(self) -> dict[str, Codec]:
        """The heads' own; the codec of rewards writes the sums."""
        codecs = self.learned.codecs
        return {"value_prefix" if name == "reward" else name: c for name, c in codecs.items()}

    def parts(self) -> dict[str, nn.Module]:
        return {**self.learned.parts(), "value_prefix": self.ledger}
