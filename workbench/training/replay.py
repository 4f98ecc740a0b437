"""Finished episodes in a ring of steps, sampled uniformly as windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from workbench.types import State, Window, gather, leaves, map_tensors, rebuild


@dataclass(frozen=True)
class Episodes:
    """Episodes that have ended, side by side: T+1 rows each, the last for the final state.

    `rows` holds observation, action, legal, policy, reward, discount and value (and state), each
    [episodes, longest + 1, ...]; what lies beyond an episode's own length is not read.
    """

    rows: Mapping[str, Any]
    length: Tensor  # [episodes] T, the number of moves
    terminated: Tensor  # [episodes] bool


class Replay:
    """A ring of `capacity` steps. The oldest go first; the rest of their episode stays usable.

    Where states are stored too, `form` is one of them: a record of tensors has its form.
    """

    def __init__(self, capacity: int, form: State | None = None) -> None:
        self.capacity = capacity
        self._form = form
        self._rows: dict[str, Any] = {}
        self._head = 0
        self._size = 0
        self._starts: Tensor | None = None

    def __len__(self) -> int:
        """Number of steps that a window can start at."""
        return len(self.starts)

    @property
    def starts(self) -> Tensor:
        """Rows that are not the final state of an episode, in order of their place."""
        if self._starts is None:
            held = self._rows["remaining"][: self._size] if self._rows else torch.empty(0)
            self._starts = (held > 0).nonzero().flatten()
        return self._starts

    def add(self, episodes: Episodes) -> None:
        """Append episodes, with the return to their end worked out at every step."""
        longest = episodes.rows["reward"].shape[1]
        place = torch.arange(longest)[None]
        held = place <= episodes.length[:, None]
        rows = dict(episodes.rows)
        rows["outcome"] = discounted_outcome(episodes)
        rows["remaining"] = (episodes.length[:, None] - place).to(torch.int32)
        rows["terminated"] = episodes.terminated[:, None].expand(-1, longest)
        flat = map_tensors(lambda values: values[held], rows)
        count = min(int(held.sum()), self.capacity)
        if not self._rows:
            self._rows = map_tensors(self._room, flat)
        index = (self._head + torch.arange(count)) % self.capacity
        map_tensors(lambda ring, new: ring.index_copy_(0, index, new[-count:]), self._rows, flat)
        self._head = (self._head + count) % self.capacity
        self._size = min(self._size + count, self.capacity)
        self._starts = None

    def sample(self, count: int, unroll: int, lookahead: int, generator: Generator) -> Window:
        """`count` windows from uniformly drawn steps, long enough to look `lookahead` past K."""
        starts = self.starts
        drawn = starts[torch.randint(len(starts), (count,), generator=generator)]
        return self.window(drawn, unroll, lookahead, generator)

    def window(self, start: Tensor, unroll: int, lookahead: int, generator: Generator) -> Window:
        """The windows that begin at rows `start` [B]."""
        rows = self._rows
        remaining = rows["remaining"][start]
        offset = torch.arange(unroll + lookahead + 1)[None].minimum(remaining[:, None])
        index = (start[:, None] + offset) % self.capacity
        near = index[:, : unroll + 1]
        return Window(
            observation=rows["observation"][near],
            action=self._actions(near[:, :unroll], remaining, generator),
            legal=rows["legal"][near],
            policy=rows["policy"][near],
            reward=rows["reward"][index],
            discount=rows["discount"][index],
            value=rows["value"][index],
            outcome=rows["outcome"][index],
            remaining=remaining,
            terminated=rows["terminated"][start],
            state=gather(rows["state"], near) if "state" in rows else None,
        )

    def _actions(self, index: Tensor, remaining: Tensor, generator: Generator) -> Tensor:
        """The moves made, and past the end uniformly random ones: any move leaves the end as is."""
        taken: Tensor = self._rows["action"][index]
        actions = self._rows["legal"].shape[-1]
        random = torch.randint(actions, taken.shape, generator=generator)
        inside = torch.arange(index.shape[1])[None] < remaining[:, None]
        return taken.where(inside.reshape(*inside.shape, *[1] * (taken.dim() - 2)), random)

    def _room(self, values: Tensor) -> Tensor:
        return values.new_zeros((self.capacity, *values.shape[1:]))

    def state_dict(self) -> dict[str, Any]:
        held = map_tensors(lambda ring: ring[: self._size].clone(), self._rows)
        rows = {name: leaves(values) for name, values in held.items()}
        return {"rows": rows, "head": self._head, "size": self._size}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._head, self._size, self._starts = state["head"], state["size"], None
        held = {
            name: rebuild(self._form if name == "state" else values[0], values)
            for name, values in state["rows"].items()
        }
        self._rows = map_tensors(self._room, held)
        map_tensors(lambda ring, old: ring[: self._size].copy_(old), self._rows, held)


def discounted_outcome(episodes: Episodes) -> Tensor:
    """[episodes, longest + 1] the signed, discounted return from every step to the end.

    It starts from the value of the final row, which is 0 after a termination, and ignores what
    lies beyond an episode's own length.
    """
    reward, discount = episodes.rows["reward"], episodes.rows["discount"]
    outcome: Tensor = episodes.rows["value"].clone()
    for t in reversed(range(reward.shape[1] - 1)):
        going = t < episodes.length
        outcome[:, t] = torch.where(
            going, reward[:, t] + discount[:, t] * outcome[:, t + 1], outcome[:, t]
        )
    return outcome
