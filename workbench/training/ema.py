"""Exponential moving average (EMA) of the weights; the averaged model acts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from workbench.contracts import TrialParts
from workbench.models.world_model import WorldModel
from workbench.training.target_network import frozen_copy


class WeightAverage:
    """Weights w' <- decay * w' + (1 - decay) * w after every update; the first update copies w.

    Buffers are copied from the model.
    """

    def __init__(self, parts: TrialParts, decay: float) -> None:
        self._share = 1 - decay
        self.model: WorldModel = frozen_copy(parts)
        self._weights: list[Tensor] = list(self.model.parameters())
        self._followed = [weight.detach() for weight in parts.model.parameters()]
        self._buffers = list(zip(self.model.buffers(), parts.model.buffers(), strict=True))
        self._started = False

    @torch.no_grad()
    def update(self) -> None:
        """Update the average; call it after every update of the model."""
        if self._weights:
            share = self._share if self._started else 1.0
            torch._foreach_lerp_(self._weights, self._followed, share)
        for own, followed in self._buffers:
            own.copy_(followed)
        self._started = True

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"model": self.model.state_dict(), "started": self._started}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.model.load_state_dict(state["model"])
        self._started = state["started"]
