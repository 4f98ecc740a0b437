"""MuZero's training loop: self-play and updates at a fixed ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import split

from workbench.contracts import TrialParts
from workbench.errors import WorkbenchError
from workbench.models.world_model import WorldModel
from workbench.training.actor import Actor
from workbench.training.augmentation import Augmentation
from workbench.training.episode_buffer import rows_per_episode
from workbench.training.learner import Learner, UpdateStats
from workbench.training.priorities import Priorities
from workbench.training.reanalyse import Reanalysis
from workbench.training.replay_buffer import Episodes, ReplayBuffer

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.training.procedures.self_play import SelfPlay

MB = 2**20
BYTES_PER_PRIORITY = 8
"""Number of bytes of the priority of one step."""


class SelfPlayLoop:
    """Alternates one step in every environment with the updates and searches that are then due."""

    def __init__(self, parts: TrialParts, config: SelfPlay) -> None:
        self._config, self._streams = config, parts.streams
        self._actor = Actor(
            parts,
            config.parallel_environments,
            config.random_start,
            config.temperature,
            config.sequence_length,
        )
        self._learner = Learner(
            parts,
            config.optimiser,
            config.past_end == "absorbing",
            config.gradient_scale,
            config.ema_decay,
            config.target_every,
        )
        layout = self._actor.layout
        self.bytes_per_step = layout.bytes_per_step + (
            BYTES_PER_PRIORITY if config.priorities.alpha else 0
        )
        self._replay = ReplayBuffer(self._capacity(), layout)
        self._priorities = (
            Priorities(self._replay.ring, config.priorities) if config.priorities.alpha else None
        )
        self._reanalysis = Reanalysis(parts, config.reanalyse, config.parallel_environments)
        self._augmentation = (
            Augmentation(parts.environment.spec.symmetries) if config.augment else None
        )
        targets = parts.config.targets.values()
        self._lookahead = max((target.lookahead for target in targets), default=0)
        self._pending = 0.0
        # [terms] names and sums of the loss terms, and number of updates, since `diagnostics`.
        self._names: list[str] = []
        self._sums: Tensor = torch.zeros((), dtype=torch.float64)
        self._since = 0
        self.steps = 0
        self.updates = 0

    @property
    def fraction(self) -> float:
        """Completed fraction of the training, from 0 to 1."""
        return min(self.steps / self._config.steps, 1.0)

    @property
    def agent(self) -> WorldModel:
        """The model that acts and is measured."""
        return self._learner.agent

    def advance(self) -> None:
        """Take one step in every environment, then run the searches and updates that are due."""
        config = self._config
        steps, episodes = self._actor.step(self.agent, self.fraction)
        self.steps += steps
        if episodes is not None:
            self._store(episodes)
        if len(self._replay) < config.warm_up:
            return
        self._reanalysis.advance(steps, self._replay, self._learner.target)
        self._pending += steps * config.replay_ratio / config.batch_size
        while self._pending >= 1:
            self._pending -= 1
            self._update()

    def _capacity(self) -> int:
        """Return the capacity of the replay buffer in steps, limited by `memory_mb`."""
        config = self._config
        if not config.memory_mb:
            return config.capacity
        in_progress = (
            config.parallel_environments * rows_per_episode(config.sequence_length)
            if config.sequence_length
            else 0
        )
        fitting = int(config.memory_mb * MB / self.bytes_per_step) - in_progress
        # At most every other stored row is the final state of an episode.
        if config.warm_up > fitting // 2:
            reserved = f", besides {in_progress} for episodes in progress" if in_progress else ""
            needed = (2 * config.warm_up + in_progress) * self.bytes_per_step / MB
            raise WorkbenchError(
                f"procedure.memory_mb: {config.memory_mb:g} MB hold {max(fitting, 0)} steps of "
                f"{self.bytes_per_step} bytes each{reserved}, too few for a warm_up of "
                f"{config.warm_up}; set memory_mb to at least {needed:.3g}, or lower warm_up"
            )
        return min(config.capacity, fitting)

    def _store(self, episodes: Episodes) -> None:
        """Store episodes; the priority of a new step is |nu - z|, the error of its search value."""
        slots = self._replay.add(episodes)
        if self._priorities is None:
            return
        self._priorities.exclude(slots)
        generator = self._streams["priorities"]
        for start in split(self._replay.valid_starts(slots), self._config.batch_size):
            window = self._replay.window(start, 0, self._lookahead, generator)
            error = self._learner.value_error(window, generator)
            self._priorities.update(self._replay.ring.serial(start), error)

    def _update(self) -> None:
        """Update on windows that are sampled by priority, if enabled, or else uniformly."""
        batch, generator = self._config.batch_size, self._streams["replay"]
        if self._priorities is None:
            self._learn(self._replay.sample_starts(batch, generator), None)
            return
        slots, weight = self._priorities.sample(batch, generator)
        serial = self._replay.ring.serial(slots)
        error = self._learn(slots, weight).error
        if error is not None:
            self._priorities.update(serial, error)

    def _learn(self, slots: Tensor, weight: Tensor | None) -> UpdateStats:
        """Update on the windows that start at `slots`."""
        window = self._replay.window(
            slots, self._config.unroll, self._lookahead, self._streams["replay"]
        )
        if self._augmentation is not None:
            window = self._augmentation(window, self._streams["augmentation"])
        stats = self._learner.update(window, weight, self.fraction)
        self.updates += 1
        self._since += 1
        self._names = list(stats.terms)
        self._sums = self._sums + torch.stack(list(stats.terms.values()))
        return stats

    def diagnostics(self) -> dict[str, float]:
        """Return the mean training losses since the last call."""
        if not self._since:
            return {}
        means = zip(self._names, (self._sums / self._since).tolist(), strict=True)
        self._sums, self._since = torch.zeros((), dtype=torch.float64), 0
        return {f"training/{name}": mean for name, mean in means}

    def result_fields(self) -> dict[str, Any]:
        """Return the capacity of the replay buffer, and the shares of targets that were clamped."""
        steps = self._replay.ring.capacity
        shares = self._learner.clamped.shares()
        return {
            "replay_steps": steps,
            "replay_mb": round(steps * self.bytes_per_step / MB, 3),
            **({"clamped_targets": shares} if shares else {}),
        }

    def notes(self) -> list[str]:
        """Return remarks for readers of the result."""
        return [*self._learner.clamped.notes()]

    def why_no_update(self) -> str:
        """Return why the training ended before the first update."""
        config = self._config
        text = (
            f"the replay buffer holds {len(self._replay)} steps that can be trained on, of the "
            f"{config.warm_up} of the warm_up"
        )
        if not config.sequence_length:
            text += (
                "; only finished episodes are stored, so let `steps` be many times "
                f"`parallel_environments` ({config.parallel_environments}) episodes, or store "
                "unfinished ones by `sequence_length`"
            )
        return text

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {
            "actor": self._actor.state_dict(),
            "learner": self._learner.state_dict(),
            "replay": self._replay.state_dict(),
            "priorities": self._priorities.state_dict() if self._priorities else None,
            "reanalysis": self._reanalysis.pending,
            "pending": self._pending,
            "steps": self.steps,
            "updates": self.updates,
            "names": self._names,
            "sums": self._sums,
            "since": self._since,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self._actor.load_state_dict(state["actor"])
        self._learner.load_state_dict(state["learner"])
        self._replay.load_state_dict(state["replay"])
        if self._priorities:
            self._priorities.load_state_dict(state["priorities"])
        self._reanalysis.pending = state["reanalysis"]
        self._pending = state["pending"]
        self.steps, self.updates = state["steps"], state["updates"]
        self._names, self._sums, self._since = state["names"], state["sums"], state["since"]
