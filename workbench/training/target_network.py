"""The target network: a copy of the model that is taken now and then, and stays until the next."""

from __future__ import annotations

import copy
from typing import Any

from workbench.contracts import Parts
from workbench.models.world_model import WorldModel


def copied(parts: Parts) -> WorldModel:
    """A copy of the model, whose weights stand still."""
    # A model may hold the world that it simulates; there is one only.
    shared = {id(parts.environment): parts.environment}
    return copy.deepcopy(parts.model, shared).requires_grad_(False)


class Copied:
    """The weights of the model as they were at the last multiple of `every` updates."""

    def __init__(self, parts: Parts, every: int) -> None:
        self._every, self._since = every, 0
        self.model: WorldModel = copied(parts).eval()

    def follow(self, model: WorldModel) -> None:
        """Told after every update of `model`."""
        self._since += 1
        if self._since == self._every:
            self.model.load_state_dict(model.state_dict())
            self._since = 0

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "since": self._since}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self._since = state["since"]
