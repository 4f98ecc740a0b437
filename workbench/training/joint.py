"""MuZero's procedure: one loop of moves and updates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from workbench.contracts import Parts
from workbench.models.world_model import WorldModel
from workbench.training.actor import Actor
from workbench.training.learner import Learner
from workbench.training.replay import Replay

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.training.procedures.self_play import SelfPlay


class JointSelfPlay:
    """Every round: one move in every game, then the updates that the ratio owes."""

    def __init__(self, parts: Parts, config: SelfPlay) -> None:
        self._config, self._streams = config, parts.streams
        self._actor = Actor(parts, config.games, config.opening, config.temperature)
        self._learner = Learner(
            parts,
            config.optimiser,
            config.terminal == "absorbing",
            config.gradient_scale,
            config.average,
        )
        self._replay = Replay(config.capacity, parts.environment.reset(1, torch.Generator()))
        targets = parts.config.targets.values()
        self._lookahead = max((target.lookahead for target in targets), default=0)
        self._owed = 0.0
        self._sums: dict[str, Tensor] = {}
        self._since = 0
        self.steps = 0
        self.updates = 0

    @property
    def fraction(self) -> float:
        return min(self.steps / self._config.steps, 1.0)

    @property
    def agent(self) -> WorldModel:
        return self._learner.agent

    def advance(self) -> None:
        config = self._config
        made, episodes = self._actor.move(self.agent)
        self.steps += made
        if episodes is not None:
            self._replay.add(episodes)
        if len(self._replay) < config.warm_up:
            return
        self._owed += made * config.replay_ratio / config.batch
        while self._owed >= 1:
            self._owed -= 1
            self._update()

    def _update(self) -> None:
        window = self._replay.sample(
            self._config.batch, self._config.unroll, self._lookahead, self._streams["replay"]
        )
        terms = self._learner.update(window)
        self.updates += 1
        self._since += 1
        for name, term in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + term.double()

    def diagnostics(self) -> dict[str, float]:
        means = {f"training/{k}": float(v) / max(self._since, 1) for k, v in self._sums.items()}
        self._sums, self._since = {}, 0
        return means

    def state_dict(self) -> dict[str, Any]:
        return {
            "actor": self._actor.state_dict(),
            "learner": self._learner.state_dict(),
            "replay": self._replay.state_dict(),
            "owed": self._owed,
            "steps": self.steps,
            "updates": self.updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._actor.load_state_dict(state["actor"])
        self._learner.load_state_dict(state["learner"])
        self._replay.load_state_dict(state["replay"])
        self._owed = state["owed"]
        self.steps, self.updates = state["steps"], state["updates"]
