"""A moving average of the weights, which acts in the place of the model that learns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from workbench.contracts import Parts
from workbench.models.world_model import WorldModel
from workbench.training.target_network import copied


class Averaged:
    """Weights w' <- decay * w' + (1 - decay) * w after every update, from the first on as w is.

    Buffers are the latest ones.
    """

    def __init__(self, parts: Parts, decay: float) -> None:
        self._share = 1 - decay
        self.model: WorldModel = copied(parts)
        self._weights: list[Tensor] = list(self.model.parameters())
        self._followed = [weight.detach() for weight in parts.model.parameters()]
        self._buffers = list(zip(self.model.buffers(), parts.model.buffers(), strict=True))
        self._begun = False

    @torch.no_grad()
    def follow(self) -> None:
        """Told after every update of the model."""
        if self._weights:
            share = self._share if self._begun else 1.0
            torch._foreach_lerp_(self._weights, self._followed, share)
        for own, followed in self._buffers:
            own.copy_(followed)
        self._begun = True

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "begun": self._begun}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self._begun = state["begun"]
