"""Finished episodes in a ring of steps, sampled uniformly as windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from workbench.training.packing import pack, unpack
from workbench.training.ring import Ring
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


PACKED = ("observation", "legal")
"""What is held as bits, if it is true or false."""


class Replay:
    """A ring of `capacity` steps. The oldest go first; the rest of their episode stays usable.

    Where states are stored too, `form` is one of them: a record of tensors has its form.
    """

    def __init__(self, capacity: int, form: State | None = None) -> None:
        self.ring = Ring(capacity)
        self._form = form
        self._rows: dict[str, Any] = {}
        self._bits: dict[str, tuple[int, ...]] = {}  # shapes of what is packed, by name
        self._starts: Tensor | None = None

    def __len__(self) -> int:
        """Number of steps that a window can start at."""
        return len(self.starts)

    @property
    def starts(self) -> Tensor:
        """Rows that are not the final state of an episode, in order of their place."""
        if self._starts is None:
            self._starts = self.beginning(torch.arange(self.ring.size))
        return self._starts

    def beginning(self, place: Tensor) -> Tensor:
        """Those of the rows that are not the final state of an episode."""
        return place[self._rows["remaining"][place] > 0] if self._rows else place[:0]

    def add(self, episodes: Episodes) -> Tensor:
        """Append episodes, with the return to their end worked out at every step.

        Returns:
            the places of the new rows.
        """
        flat, shapes = _flat(episodes)
        count = min(len(flat["reward"]), self.ring.capacity)
        if not self._rows:
            self._rows, self._bits = map_tensors(self._room, flat), shapes
        place = self.ring.advance(count)
        map_tensors(lambda ring, new: ring.index_copy_(0, place, new[-count:]), self._rows, flat)
        self._starts = None
        return place

    def replace(self, serial: Tensor, rows: Mapping[str, Tensor]) -> None:
        """Overwrite what is named in `rows` [N, ...] of rows, but of those that have gone."""
        held = self.ring.held(serial)
        place = serial[held] % self.ring.capacity
        for name, new in rows.items():
            ring = self._rows[name]
            ring.index_copy_(0, place, new[held].to(ring.dtype))

    def sample(self, count: int, unroll: int, lookahead: int, generator: Generator) -> Window:
        """`count` windows from uniformly drawn steps, long enough to look `lookahead` past K."""
        return self.window(self.draw(count, generator), unroll, lookahead, generator)

    def draw(self, count: int, generator: Generator) -> Tensor:
        """`count` rows that windows can start at, uniformly."""
        starts = self.starts
        return starts[torch.randint(len(starts), (count,), generator=generator)]

    def window(self, start: Tensor, unroll: int, lookahead: int, generator: Generator) -> Window:
        """The windows that begin at rows `start` [B]."""
        rows = self._rows
        remaining = rows["remaining"][start]
        offset = torch.arange(unroll + lookahead + 1)[None].minimum(remaining[:, None])
        index = (start[:, None] + offset) % self.ring.capacity
        near = index[:, : unroll + 1]
        return Window(
            observation=self._read("observation", near),
            action=self._actions(near[:, :unroll], remaining, generator),
            legal=self._read("legal", near),
            policy=rows["policy"][near],
            reward=rows["reward"][index],
            discount=rows["discount"][index],
            value=rows["value"][index],
            outcome=rows["outcome"][index],
            remaining=remaining,
            terminated=rows["terminated"][start],
            state=gather(rows["state"], near) if "state" in rows else None,
        )

    def _read(self, name: str, index: Tensor) -> Tensor:
        found: Tensor = self._rows[name][index]
        return unpack(found, self._bits[name]) if name in self._bits else found

    def _actions(self, index: Tensor, remaining: Tensor, generator: Generator) -> Tensor:
        """The moves made, and past the end uniformly random ones: any move leaves the end as is."""
        taken: Tensor = self._rows["action"][index]
        actions = self._rows["policy"].shape[-1]
        random = torch.randint(actions, taken.shape, generator=generator)
        inside = torch.arange(index.shape[1])[None] < remaining[:, None]
        return taken.where(inside.reshape(*inside.shape, *[1] * (taken.dim() - 2)), random)

    def _room(self, values: Tensor) -> Tensor:
        return values.new_zeros((self.ring.capacity, *values.shape[1:]))

    def state_dict(self) -> dict[str, Any]:
        held = map_tensors(lambda ring: ring[: self.ring.size].clone(), self._rows)
        rows = {name: leaves(values) for name, values in held.items()}
        return {"rows": rows, "bits": dict(self._bits), "written": self.ring.written}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.ring.written, self._starts = state["written"], None
        self._bits = {name: tuple(shape) for name, shape in state["bits"].items()}
        held = {
            name: rebuild(self._form if name == "state" else values[0], values)
            for name, values in state["rows"].items()
        }
        self._rows = map_tensors(self._room, held)
        map_tensors(lambda ring, old: ring[: self.ring.size].copy_(old), self._rows, held)


def bytes_per_step(episodes: Episodes) -> int:
    """Memory of one row of the ring that is to hold such episodes."""
    flat, _ = _flat(episodes)
    return sum(tensor[0].nbytes for tensor in leaves(flat))


def _flat(episodes: Episodes) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """All rows of all episodes one after the other, as the ring holds them; shapes of the bits."""
    longest = episodes.rows["reward"].shape[1]
    place = torch.arange(longest)[None]
    held = place <= episodes.length[:, None]
    rows = dict(episodes.rows)
    rows["outcome"] = discounted_outcome(episodes)
    rows["remaining"] = (episodes.length[:, None] - place).to(torch.int32)
    rows["terminated"] = episodes.terminated[:, None].expand(-1, longest)
    flat = map_tensors(lambda values: values[held], rows)
    bits = {name: tuple(flat[name].shape[1:]) for name in PACKED if flat[name].dtype == torch.bool}
    return flat | {name: pack(flat[name]) for name in bits}, bits


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
