"""Lock-step self-play: B episodes side by side, searched together, one move at a time."""

from __future__ import annotations

from math import inf
from typing import Any, cast

import torch
from torch import Generator, Tensor

from workbench.contracts import Parts
from workbench.models.world_model import WorldModel
from workbench.training.replay import Episodes
from workbench.training.settings import OpeningConfig, TemperatureConfig
from workbench.types import (
    LiveEnvironment,
    Plan,
    State,
    Transition,
    choose,
    leaves,
    map_tensors,
    rebuild,
)


class Actor:
    """Plays B episodes at once and hands over those that have ended."""

    def __init__(
        self,
        parts: Parts,
        batch: int,
        opening: OpeningConfig,
        temperature: TemperatureConfig,
    ) -> None:
        self._parts, self._batch = parts, batch
        self._opening, self._temperature = opening, temperature
        environment = parts.environment
        self._live = None if environment.spec.copyable else cast(LiveEnvironment, environment)
        self._state: State = self._fresh(batch)
        self._memory: Any = None  # of a model that carries one from step to step
        self._saved_memory: list[Tensor] = []  # of a checkpoint, until the model gives it its form
        self._fresh_rows = torch.ones(batch, dtype=torch.bool)
        self._last_action: Tensor | None = None
        self._length = torch.zeros(batch, dtype=torch.int64)
        self._rows: dict[str, Any] = {}  # name: [B, moves, ...], or for the state a record of such

    def example(self, model: WorldModel) -> Episodes:
        """An episode of no move, of which nothing but the form of its row counts."""
        environment = self._parts.environment
        state = map_tensors(lambda tensor: tensor[:1], self._state)
        legal = environment.legal(state)
        number = torch.zeros(1)
        step = {
            "observation": environment.observe(state),
            "action": torch.zeros(legal.shape[:-1], dtype=torch.int64),
            "legal": legal,
            "policy": torch.zeros(legal.shape),
            "value": number,
            "reward": number,
            "discount": number,
        } | ({"state": state} if model.spec.needs_state else {})
        rows = {name: map_tensors(lambda v: v[None], values) for name, values in step.items()}
        return Episodes(rows, torch.tensor([0]), torch.tensor([False]))

    @torch.no_grad()
    def move(self, model: WorldModel, fraction: float = 0.0) -> tuple[int, Episodes | None]:
        """One move in every episode, after such a fraction of the training.

        Returns:
            the number of environment steps made, and the episodes that ended, if any.
        """
        parts, environment = self._parts, self._parts.environment
        observation, legal = environment.observe(self._state), environment.legal(self._state)
        root = self._root(model, observation)
        plan = parts.planner.plan(model, root, legal, parts.streams["search"], explore=True)
        plan = map_tensors(lambda tensor: tensor.cpu(), plan)
        action = self._pick(plan, self._temperature.at(fraction))
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
        self._write(step | ({"state": self._state} if model.spec.needs_state else {}))
        self._length += 1
        self._memory, self._last_action = root if model.spec.memory else None, action
        return self._batch, self._turn_over(model, then, transition)

    def _root(self, model: WorldModel, observation: Tensor) -> Any:
        """The latent at each episode's present: carried on, or begun anew with the episode."""
        generator = self._parts.streams["model"]
        begun = model.represent(observation, generator, self._state)
        if self._saved_memory:
            self._memory, self._saved_memory = rebuild(begun, self._saved_memory), []
        if self._memory is None or self._last_action is None:
            return begun
        taken = self._last_action.to(model.device)
        carried = model.observe(self._memory, taken, observation, generator, self._state)
        return choose(self._fresh_rows.to(model.device), begun, carried)

    def _pick(self, plan: Plan, temperature: float) -> Tensor:
        """Draw by temperature in an episode's first moves, then take the best. [B, ...]

        What the planner itself chose is played as it is: its own choice is what improves on the
        prior (Danihelka et al. 2022, section 3).
        """
        if plan.action is not None:
            return plan.action
        # Relative to the best, so that a low temperature cannot bring them all to 0.
        relative = plan.policy / plan.policy.max(-1, keepdim=True).values
        sharpened = relative ** (1 / temperature)
        drawn = _draw(sharpened, self._parts.streams["actor"])
        moves = self._temperature.moves
        early = self._length < (inf if moves is None else moves)
        return choose(early, drawn, plan.best())

    def _write(self, step: dict[str, Any]) -> None:
        """Put a row of every episode at its own time."""
        for name, values in step.items():
            if name not in self._rows:
                self._rows[name] = map_tensors(
                    lambda v: v.new_zeros((self._batch, 0, *v.shape[1:])), values
                )
        if int(self._length.max()) >= self._rows["reward"].shape[1]:
            self._grow()
        at = (torch.arange(self._batch), self._length)
        held = {name: self._rows[name] for name in step}
        map_tensors(lambda rows, values: rows.index_put_(at, values.detach()), held, step)

    def _grow(self) -> None:
        """Room for twice as many moves."""
        horizon = self._parts.environment.spec.horizon or 15

        def longer(rows: Tensor) -> Tensor:
            room = max(rows.shape[1], horizon + 1)
            return torch.cat([rows, rows.new_zeros((self._batch, room, *rows.shape[2:]))], 1)

        self._rows = map_tensors(longer, self._rows)

    def _turn_over(self, model: WorldModel, then: State, transition: Transition) -> Episodes | None:
        """Close the episodes that have ended and begin new ones in their place."""
        ended = transition.terminated | transition.truncated
        self._state, self._fresh_rows = then, torch.zeros_like(ended)
        if not bool(ended.any()):
            return None
        episodes = self._close(model, ended, transition)
        self._fresh_rows = ended
        self._length[ended] = 0
        index = ended.nonzero().flatten()
        fresh = self._fresh(len(index))
        self._state = map_tensors(lambda old, new: old.index_copy(0, index, new), then, fresh)
        return episodes

    def _close(self, model: WorldModel, ended: Tensor, transition: Transition) -> Episodes:
        """The ended episodes with the row of their final state, whose value is 0 unless cut."""
        environment = self._parts.environment
        observation, legal = environment.observe(self._state), environment.legal(self._state)
        value = torch.zeros_like(transition.reward)
        cut = transition.truncated & ~transition.terminated
        if bool(cut.any()):
            ahead = model.predict(self._root(model, observation)).value.cpu()
            value = ahead.where(cut, value)
        self._write(
            {
                "observation": observation,
                "legal": legal,
                "value": value,
                "reward": torch.zeros_like(value),
                "discount": torch.zeros_like(value),
            }
            | ({"state": self._state} if model.spec.needs_state else {})
        )
        longest = int(self._length[ended].max()) + 1
        rows = map_tensors(lambda values: values[ended][:, :longest], self._rows)
        return Episodes(rows, self._length[ended].clone(), transition.terminated[ended])

    def _fresh(self, count: int) -> State:
        """New episodes, some of them after random moves; one that ends so starts at the start."""
        environment, generator = self._parts.environment, self._parts.streams["opening"]
        state = start = environment.reset(count, generator)
        if not self._opening.fraction:
            return state
        length = torch.randint(1, self._opening.moves + 1, (count,), generator=generator)
        length *= torch.rand(count, generator=generator) < self._opening.fraction
        over = torch.zeros(count, dtype=torch.bool)
        for ply in range(self._opening.moves):
            action = _draw(environment.legal(state).float(), generator, over)
            then, transition = environment.step(state, action, generator)
            playing = (ply < length) & ~over
            state = choose(playing, then, state)
            over |= playing & (transition.terminated | transition.truncated)
        return choose(over, start, state)

    def state_dict(self) -> dict[str, Any]:
        return {
            "state": leaves(self._live.save(self._state) if self._live else self._state),
            "memory": leaves(self._memory),
            "fresh": self._fresh_rows,
            "action": self._last_action,
            "length": self._length,
            "rows": {name: leaves(rows) for name, rows in self._rows.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self._live:
            form = self._live.save(self._state)
            self._state = self._live.restore(rebuild(form, state["state"]))
        else:
            self._state = rebuild(self._state, state["state"])
        self._memory, self._saved_memory = None, state["memory"]
        self._fresh_rows, self._last_action = state["fresh"], state["action"]
        self._length = state["length"]
        self._rows = {
            name: rebuild(self._state if name == "state" else rows[0], rows)
            for name, rows in state["rows"].items()
        }


def _draw(weights: Tensor, generator: Generator, any_row: Tensor | None = None) -> Tensor:
    """One index a row in proportion to `weights` [B, ..., A]; rows of `any_row` [B] take any."""
    if any_row is not None:
        weights = weights + any_row.reshape(-1, *[1] * (weights.dim() - 1))
    drawn = torch.multinomial(weights.flatten(0, -2), 1, generator=generator)
    return drawn.view(weights.shape[:-1])
