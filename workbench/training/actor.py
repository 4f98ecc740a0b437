"""Lock-step self-play: B environments step together, with one batched search per step."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from workbench.contracts import TrialParts
from workbench.models.world_model import WorldModel
from workbench.planning.tree.compiled_encoder import represent
from workbench.training.episode_buffer import EpisodeBuffer
from workbench.training.initial_states import InitialStates
from workbench.training.replay_buffer import Episodes, step_layout
from workbench.training.sampling import ActionSampler
from workbench.training.settings import RandomStartConfig, TemperatureConfig
from workbench.training.step_kernels import Words
from workbench.types import (
    ForwardOnlyEnvironment,
    Plan,
    State,
    Transition,
    gather,
    tree_leaves,
    tree_map,
    tree_unflatten,
    where,
)

Bools: TypeAlias = NDArray[np.bool_]


class Actor:
    """Plays B episodes in parallel and returns those that have finished."""

    def __init__(
        self,
        parts: TrialParts,
        batch: int,
        random_start: RandomStartConfig,
        temperature: TemperatureConfig,
        sequence: int = 0,
    ) -> None:
        """With `sequence` > 0, an episode is also returned, as truncated, after so many steps."""
        self._parts, self._batch, self._temperature = parts, batch, temperature
        self._sequence = sequence
        environment = parts.environment
        self._live = (
            None if environment.spec.cloneable else cast(ForwardOnlyEnvironment, environment)
        )
        self._sampler = ActionSampler(parts.streams["actor"])
        # The names of streams are part of the seed: renaming one changes all results.
        starts = InitialStates(environment, random_start, parts.streams["opening"])
        self._initial_states = starts
        self._state: State = self._initial_states.take(batch)
        self._observed = self._observe(self._state)
        self._memory: Any = None  # latents of a model that carries memory between steps
        # Memory from a checkpoint, kept flat until the model returns a latent of its structure.
        self._restored_memory: list[Tensor] = []
        self._fresh_rows = torch.ones(batch, dtype=torch.bool)
        self._last_action: Tensor | None = None
        self.layout = step_layout(self._example())
        self._buffer = EpisodeBuffer(self.layout, batch)

    def _example(self) -> dict[str, Any]:
        """Return an example of a step; only its shapes and types matter."""
        state = gather(self._state, torch.tensor([0]))
        (observation, legal), number = self._observe(state), torch.zeros(1)
        return {
            "observation": observation,
            "action": torch.zeros(legal.shape[:-1], dtype=torch.int64),
            "legal": legal,
            "policy": torch.zeros(legal.shape),
            "value": number,
            "reward": number,
            "discount": number,
        } | self._stored_state(state)

    def _observe(self, state: State) -> tuple[Tensor, Tensor]:
        """Return observations and legal actions."""
        environment = self._parts.environment
        return environment.observe(state), environment.legal(state)

    def _stored_state(self, state: State) -> dict[str, Any]:
        """Return the state as an entry of a step, for a model that needs it."""
        return {"state": state} if self._parts.model.spec.needs_state else {}

    @torch.inference_mode()
    def step(self, model: WorldModel, fraction: float = 0.0) -> tuple[int, Episodes | None]:
        """Take one action in every episode; `fraction` of the training is done.

        Returns:
            Number of environment steps, and the finished episodes, if any.
        """
        parts, environment = self._parts, self._parts.environment
        observation, legal = self._observed
        root = self._root(model, observation, self._fresh_rows, self._state)
        plan = parts.planner.plan(model, root, legal, parts.streams["search"], explore=True)
        if not plan.policy.is_cpu:
            plan = tree_map(lambda tensor: tensor.cpu(), plan)
        action = self._select_action(plan, fraction)
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
        self._buffer.append(step | self._stored_state(self._state))
        self._memory, self._last_action = root if model.spec.memory else None, action
        return self._batch, self._finish_episodes(model, then, transition)

    def _root(self, model: WorldModel, observation: Tensor, fresh: Tensor, state: State) -> Any:
        """Return the root latents: carried over from the last step, or new in `fresh` rows."""
        generator = self._parts.streams["model"]
        begun = represent(model, observation, generator, state)
        if self._restored_memory:
            self._memory, self._restored_memory = tree_unflatten(begun, self._restored_memory), []
        if self._memory is None or self._last_action is None:
            return begun
        taken = self._last_action.to(model.device)
        carried = model.observe(self._memory, taken, observation, generator, state)
        return where(fresh.to(model.device), begun, carried)

    def _select_action(self, plan: Plan, fraction: float) -> Tensor:
        """[B, ...] Sample by temperature early in an episode, then take the best action.

        An action that the planner itself chose is executed unchanged, because only this choice
        improves on the prior (Danihelka et al. 2022, section 3).
        """
        if plan.action is not None:
            return plan.action
        weights, temperature = plan.policy, self._temperature.at(fraction)
        if temperature != 1:
            # Divide by the maximum, so that a low temperature does not underflow all weights to 0.
            weights = (weights / weights.amax(-1, keepdim=True)) ** (1 / temperature)
        age = self._buffer.length
        return self._sampler(weights, plan.policy, plan.q, age, self._temperature.sampled_actions)

    def _finish_episodes(
        self, model: WorldModel, then: State, transition: Transition
    ) -> Episodes | None:
        """Return the finished episodes and start new ones in their rows.

        An unfinished episode that has reached `sequence` steps is returned too, as truncated.
        """
        cut, ended, rows, last, over = _find_finished(
            transition.terminated.numpy(),
            transition.truncated.numpy(),
            self._buffer.length.numpy(),
            self._sequence,
        )
        self._fresh_rows, terminated = torch.from_numpy(ended), torch.from_numpy(last)
        batch, handed = self._batch, rows[self._batch :]
        if not len(handed):
            self._state, self._observed = then, self._observe(then)
            return None
        # The final states follow those that play continues from: one call observes all.
        states = tree_map(lambda tensor: torch.from_numpy(tensor.numpy().take(rows, 0)), then)
        if len(over):
            replace = partial(_write_rows, over)
            tree_map(replace, states, self._initial_states.take(len(over)))
        observation, legal = self._observe(states)
        final = {"observation": observation[batch:], "legal": legal[batch:]}
        if self._parts.model.spec.needs_state:
            final["state"] = tree_map(lambda tensor: tensor[batch:], states)
        if cut:
            # Bootstrap value of truncated episodes.
            seen = self._parts.environment.observe(then)
            root = self._root(model, seen, torch.zeros_like(self._fresh_rows), then)
            final["value"] = model.predict(root).value.cpu()[handed].masked_fill(terminated, 0.0)
        self._state = tree_map(lambda tensor: tensor[:batch], states)
        self._observed = observation[:batch], legal[:batch]
        return Episodes(*self._buffer.take(handed, final), terminated)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        state = self._live.save(self._state) if self._live else self._state
        return {
            # A view of a larger tensor would save the whole of it.
            "state": [part.clone() for part in tree_leaves(state)],
            "memory": tree_leaves(self._memory),
            "fresh": self._fresh_rows,
            "action": self._last_action,
            "picks": self._sampler.state_dict(),
            "unfinished": self._buffer.state_dict(),
            "openings": self._initial_states.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        if self._live:
            form = self._live.save(self._state)
            self._state = self._live.restore(tree_unflatten(form, state["state"]))
        else:
            self._state = tree_unflatten(self._state, state["state"])
        self._observed = self._observe(self._state)
        self._memory, self._restored_memory = None, state["memory"]
        self._fresh_rows, self._last_action = state["fresh"], state["action"]
        self._sampler.load_state_dict(state["picks"])
        self._buffer.load_state_dict(state["unfinished"])
        self._initial_states.load_state_dict(state["openings"], self._state)


def _write_rows(rows: Words, old: Tensor, new: Tensor) -> None:
    """Overwrite `rows` [E] with `new` [E, ...]."""
    old.numpy()[rows] = new.numpy()


@njit(cache=True)
def _find_finished(
    terminated: Bools, truncated: Bools, length: Words, sequence: int
) -> tuple[int, Bools, Words, Bools, Words]:
    """Find the episodes to return after a step; `length` [B] is their number of steps.

    Returns:
        Number of returned episodes that have not terminated; mask [B] of ended episodes; all
        rows, followed by the rows of the returned episodes [B + E]; mask [E] of terminated ones
        among these; rows in which a new episode starts.
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
