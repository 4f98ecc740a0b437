"""MuZero's procedure: one loop of moves and updates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import split

from workbench.contracts import Parts
from workbench.errors import WorkbenchError
from workbench.models.world_model import WorldModel
from workbench.training.actor import Actor
from workbench.training.augmentation import Augmentation
from workbench.training.episode_buffer import room_for
from workbench.training.learner import Learner, Lesson
from workbench.training.priorities import Priorities
from workbench.training.reanalyse import Reanalysis
from workbench.training.replay_buffer import Episodes, Replay

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.training.procedures.self_play import SelfPlay

MB = 2**20
PRIORITY = 8
"""Bytes of the priority of one step."""


class JointSelfPlay:
    """Every round: one move in every game, then the searches and updates that the ratios owe."""

    def __init__(self, parts: Parts, config: SelfPlay) -> None:
        self._config, self._streams = config, parts.streams
        self._actor = Actor(
            parts, config.games, config.opening, config.temperature, config.sequence
        )
        self._learner = Learner(
            parts,
            config.optimiser,
            config.terminal == "absorbing",
            config.gradient_scale,
            config.average,
            config.target_every,
        )
        layout = self._actor.layout
        self.bytes_per_step = layout.bytes_per_step + (PRIORITY if config.priorities.alpha else 0)
        self._replay = Replay(self._capacity(), layout)
        self._priorities = (
            Priorities(self._replay.ring, config.priorities) if config.priorities.alpha else None
        )
        self._reanalysis = Reanalysis(parts, config.reanalyse, config.games)
        self._augmentation = (
            Augmentation(parts.environment.spec.symmetries) if config.augment else None
        )
        targets = parts.config.targets.values()
        self._lookahead = max((target.lookahead for target in targets), default=0)
        self._owed = 0.0
        self._names: list[str] = []  # of the terms of the loss
        self._sums: Tensor = torch.zeros((), dtype=torch.float64)  # [terms] since the last report
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
        made, episodes = self._actor.move(self.agent, self.fraction)
        self.steps += made
        if episodes is not None:
            self._store(episodes)
        if len(self._replay) < config.warm_up:
            return
        self._reanalysis.advance(made, self._replay, self._learner.target)
        self._owed += made * config.replay_ratio / config.batch
        while self._owed >= 1:
            self._owed -= 1
            self._update()

    def _capacity(self) -> int:
        """Steps that the replay holds: as many as are wanted, or as fit into the memory."""
        config = self._config
        if not config.memory_mb:
            return config.capacity
        in_play = config.games * room_for(config.sequence) if config.sequence else 0
        fitting = int(config.memory_mb * MB / self.bytes_per_step) - in_play
        # Of the stored rows at most every other one is the final state of an episode.
        if config.warm_up > fitting // 2:
            beside = f", beside {in_play} of the games in play" if in_play else ""
            raise WorkbenchError(
                f"procedure.memory_mb: {config.memory_mb:g} MB hold {max(fitting, 0)} steps of "
                f"{self.bytes_per_step} bytes each{beside}, too few for a warm_up of "
                f"{config.warm_up}; it takes "
                f"{(2 * config.warm_up + in_play) * self.bytes_per_step / MB:.3g} MB"
            )
        return min(config.capacity, fitting)

    def _store(self, episodes: Episodes) -> None:
        """Into the replay; the priority of a new step is its search's |nu - z|."""
        place = self._replay.add(episodes)
        if self._priorities is None:
            return
        self._priorities.drop(place)
        generator = self._streams["priorities"]
        for start in split(self._replay.beginning(place), self._config.batch):
            window = self._replay.window(start, 0, self._lookahead, generator)
            error = self._learner.surprise(window, generator)
            self._priorities.put(self._replay.ring.serial(start), error)

    def _update(self) -> None:
        """On windows drawn by priority, if there are any, or uniformly."""
        batch, generator = self._config.batch, self._streams["replay"]
        if self._priorities is None:
            self._learn(self._replay.draw(batch, generator), None)
            return
        place, weight = self._priorities.draw(batch, generator)
        serial = self._replay.ring.serial(place)
        error = self._learn(place, weight).error
        if error is not None:
            self._priorities.put(serial, error)

    def _learn(self, place: Tensor, weight: Tensor | None) -> Lesson:
        """From the windows that begin at rows `place`."""
        window = self._replay.window(
            place, self._config.unroll, self._lookahead, self._streams["replay"]
        )
        if self._augmentation is not None:
            window = self._augmentation(window, self._streams["augmentation"])
        lesson = self._learner.update(window, weight, self.fraction)
        self.updates += 1
        self._since += 1
        self._names = list(lesson.terms)
        self._sums = self._sums + torch.stack(list(lesson.terms.values()))
        return lesson

    def diagnostics(self) -> dict[str, float]:
        if not self._since:
            return {}
        means = zip(self._names, (self._sums / self._since).tolist(), strict=True)
        self._sums, self._since = torch.zeros((), dtype=torch.float64), 0
        return {f"training/{name}": mean for name, mean in means}

    def facts(self) -> dict[str, float]:
        """For the trial's result: what the replay has room for, in steps and in MB."""
        steps = self._replay.ring.capacity
        return {
            "replay_steps": steps,
            "replay_mb": round(steps * self.bytes_per_step / MB, 3),
        }

    def state_dict(self) -> dict[str, Any]:
        return {
            "actor": self._actor.state_dict(),
            "learner": self._learner.state_dict(),
            "replay": self._replay.state_dict(),
            "priorities": self._priorities.state_dict() if self._priorities else None,
            "reanalysis": self._reanalysis.owed,
            "owed": self._owed,
            "steps": self.steps,
            "updates": self.updates,
            "names": self._names,
            "sums": self._sums,
            "since": self._since,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._actor.load_state_dict(state["actor"])
        self._learner.load_state_dict(state["learner"])
        self._replay.load_state_dict(state["replay"])
        if self._priorities:
            self._priorities.load_state_dict(state["priorities"])
        self._reanalysis.owed = state["reanalysis"]
        self._owed = state["owed"]
        self.steps, self.updates = state["steps"], state["updates"]
        self._names, self._sums, self._since = state["names"], state["sums"], state["since"]
