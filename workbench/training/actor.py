"""Lock-step self-play: B episodes side by side, searched together, one move at a time."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from workbench.contracts import Parts
from workbench.models.world_model import WorldModel
from workbench.planning.tree.compiled_encoder import represent
from workbench.training.episode_buffer import Unfinished
from workbench.training.initial_states import Openings
from workbench.training.replay_buffer import Episodes, stored
from workbench.training.sampling import Picks
from workbench.training.settings import OpeningConfig, TemperatureConfig
from workbench.training.step_kernels import Words
from workbench.types import (
    LiveEnvironment,
    Plan,
    State,
    Transition,
    choose,
    gather,
    leaves,
    map_tensors,
    rebuild,
)

Bools: TypeAlias = NDArray[np.bool_]


class Actor:
    """Plays B episodes at once and hands over those that have ended."""

    def __init__(
        self,
        parts: Parts,
        batch: int,
        opening: OpeningConfig,
        temperature: TemperatureConfig,
        sequence: int = 0,
    ) -> None:
        """`sequence` moves of an episode that goes on are handed over; 0: only whole ones."""
        self._parts, self._batch, self._temperature = parts, batch, temperature
        self._sequence = sequence
        environment = parts.environment
        self._live = None if environment.spec.copyable else cast(LiveEnvironment, environment)
        self._picks = Picks(parts.streams["actor"])
        self._openings = Openings(environment, opening, parts.streams["opening"])
        self._state: State = self._openings.take(batch)
        self._shown = self._show(self._state)
        self._memory: Any = None  # of a model that carries one from step to step
        self._saved_memory: list[Tensor] = []  # of a checkpoint, until the model gives it its form
        self._fresh_rows = torch.ones(batch, dtype=torch.bool)
        self._last_action: Tensor | None = None
        self.layout = stored(self._example())
        self._unfinished = Unfinished(self.layout, batch)

    def _example(self) -> dict[str, Any]:
        """A step, of which nothing but its form counts."""
        state = gather(self._state, torch.tensor([0]))
        (observation, legal), number = self._show(state), torch.zeros(1)
        return {
            "observation": observation,
            "action": torch.zeros(legal.shape[:-1], dtype=torch.int64),
            "legal": legal,
            "policy": torch.zeros(legal.shape),
            "value": number,
            "reward": number,
            "discount": number,
        } | self._stored_state(state)

    def _show(self, state: State) -> tuple[Tensor, Tensor]:
        """Observations and legal moves."""
        environment = self._parts.environment
        return environment.observe(state), environment.legal(state)

    def _stored_state(self, state: State) -> dict[str, Any]:
        """The state as a part of a step, for a model that needs it."""
        return {"state": state} if self._parts.model.spec.needs_state else {}

    @torch.inference_mode()
    def move(self, model: WorldModel, fraction: float = 0.0) -> tuple[int, Episodes | None]:
        """One move in every episode, after such a fraction of the training.

        Returns:
            the number of environment steps made, and the episodes that ended, if any.
        """
        parts, environment = self._parts, self._parts.environment
        observation, legal = self._shown
        root = self._root(model, observation, self._fresh_rows, self._state)
        plan = parts.planner.plan(model, root, legal, parts.streams["search"], explore=True)
        if not plan.policy.is_cpu:
            plan = map_tensors(lambda tensor: tensor.cpu(), plan)
        action = self._pick(plan, fraction)
        then, transition = environment.step(self._state, action, parts.streams["environment"])
        step = {
            "observation": observation,
            "action": action,
            "legal": legal,
            "policy": plan.policy,
            "value": plan.value,
            "reward": transition.reward,
            "discount": transition.discount,
        }
        self._unfinished.append(step | self._stored_state(self._state))
        self._memory, self._last_action = root if model.spec.memory else None, action
        return self._batch, self._turn_over(model, then, transition)

    def _root(self, model: WorldModel, observation: Tensor, fresh: Tensor, state: State) -> Any:
        """The latent at each episode's present: carried on, or begun anew where it is `fresh`."""
        generator = self._parts.streams["model"]
        begun = represent(model, observation, generator, state)
        if self._saved_memory:
            self._memory, self._saved_memory = rebuild(begun, self._saved_memory), []
        if self._memory is None or self._last_action is None:
            return begun
        taken = self._last_action.to(model.device)
        carried = model.observe(self._memory, taken, observation, generator, state)
        return choose(fresh.to(model.device), begun, carried)

    def _pick(self, plan: Plan, fraction: float) -> Tensor:
        """Draw by temperature in an episode's first moves, then take the best. [B, ...]

        What the planner itself chose is played as it is: its own choice is what improves on the
        prior (Danihelka et al. 2022, section 3).
        """
        if plan.action is not None:
            return plan.action
        weights, temperature = plan.policy, self._temperature.at(fraction)
        if temperature != 1:
            # Relative to the best, so that a low temperature cannot bring them all to 0.
            weights = (weights / weights.amax(-1, keepdim=True)) ** (1 / temperature)
        age = self._unfinished.length
        return self._picks(weights, plan.policy, plan.q, age, self._temperature.moves)

    def _turn_over(self, model: WorldModel, then: State, transition: Transition) -> Episodes | None:
        """Hand over the episodes that have ended, and begin new ones in their place.

        What is long enough of one that goes on is handed over too, as an episode that was cut.
        """
        cut, ended, rows, last, over = _look_over(
            transition.terminated.numpy(),
            transition.truncated.numpy(),
            self._unfinished.length.numpy(),
            self._sequence,
        )
        self._fresh_rows, terminated = torch.from_numpy(ended), torch.from_numpy(last)
        batch, handed = self._batch, rows[self._batch :]
        if not len(handed):
            self._state, self._shown = then, self._show(then)
            return None
        # The final states stand behind those that are played on: all are observed at once.
        states = map_tensors(lambda tensor: torch.from_numpy(tensor.numpy().take(rows, 0)), then)
        if len(over):
            replace = partial(_replace, over)
            map_tensors(replace, states, self._openings.take(len(over)))
        observation, legal = self._show(states)
        final = {"observation": observation[batch:], "legal": legal[batch:]}
        if self._parts.model.spec.needs_state:
            final["state"] = map_tensors(lambda tensor: tensor[batch:], states)
        if cut:
            # What is expected where an episode was cut.
            seen = self._parts.environment.observe(then)
            root = self._root(model, seen, torch.zeros_like(self._fresh_rows), then)
            final["value"] = model.predict(root).value.cpu()[handed].masked_fill(terminated, 0.0)
        self._state = map_tensors(lambda tensor: tensor[:batch], states)
        self._shown = observation[:batch], legal[:batch]
        return Episodes(*self._unfinished.take(handed, final), terminated)

    def state_dict(self) -> dict[str, Any]:
        state = self._live.save(self._state) if self._live else self._state
        return {
            # Of more rows than these, a part would be saved with all.
            "state": [part.clone() for part in leaves(state)],
            "memory": leaves(self._memory),
            "fresh": self._fresh_rows,
            "action": self._last_action,
            "picks": self._picks.state_dict(),
            "unfinished": self._unfinished.state_dict(),
            "openings": self._openings.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self._live:
            form = self._live.save(self._state)
            self._state = self._live.restore(rebuild(form, state["state"]))
        else:
            self._state = rebuild(self._state, state["state"])
        self._shown = self._show(self._state)
        self._memory, self._saved_memory = None, state["memory"]
        self._fresh_rows, self._last_action = state["fresh"], state["action"]
        self._picks.load_state_dict(state["picks"])
        self._unfinished.load_state_dict(state["unfinished"])
        self._openings.load_state_dict(state["openings"], self._state)


def _replace(rows: Words, old: Tensor, new: Tensor) -> None:
    """Put `new` [E, ...] in the place of such rows [E]."""
    old.numpy()[rows] = new.numpy()


@njit(cache=True)
def _look_over(
    terminated: Bools, truncated: Bools, length: Words, sequence: int
) -> tuple[int, Bools, Words, Bools, Words]:
    """What is to be handed over after a move [B] of episodes that have come to such a length.

    Returns:
        how many of those to hand over have not terminated; which episodes have ended [B]; the
        numbers of all, and behind them of those to hand over [B + E]; which of these have
        terminated [E]; the numbers of those to begin anew.
    """
    batch = len(length)
    ended, rows = np.empty(batch, np.bool_), np.empty(2 * batch, np.int64)
    last, over = np.empty(batch, np.bool_), np.empty(batch, np.int64)
    cut = count = begun = 0
    for row in range(batch):
        rows[row] = row
        ended[row] = terminated[row] or truncated[row]
        if ended[row]:
            over[begun] = row
            begun += 1
        if ended[row] or (sequence > 0 and length[row] >= sequence):
            rows[batch + count], last[count] = row, terminated[row]
            cut += not terminated[row]
            count += 1
    return cut, ended, rows[: batch + count], last[:count], over[:begun]
