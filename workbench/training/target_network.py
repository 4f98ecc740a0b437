"""Target network: a copy of the model, refreshed at a fixed interval of updates."""

from __future__ import annotations

import copy
from typing import Any

from workbench.contracts import TrialParts
from workbench.models.world_model import WorldModel


def frozen_copy(parts: TrialParts) -> WorldModel:
    """Return a copy of the model without gradients."""
    # A model may hold the environment that it simulates; the copy shares it.
    shared = {id(parts.environment): parts.environment}
    return copy.deepcopy(parts.model, shared).requires_grad_(False)


class TargetNetwork:
    """Weights of the model at the last multiple of `every` updates."""

    def __init__(self, parts: TrialParts, every: int) -> None:
        self._every, self._since = every, 0
        self.model: WorldModel = frozen_copy(parts).eval()

    def update(self, model: WorldModel) -> None:
        """Count an update of `model`, and copy its weights if one is due."""
        self._since += 1
        if self._since == self._every:
            self.model.load_state_dict(model.state_dict())
            self._since = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"model": self.model.state_dict(), "since": self._since}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.model.load_state_dict(state["model"])
        self._since = state["since"]
