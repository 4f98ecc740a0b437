"""Heads over a latent of any shape, flattened."""

from __future__ import annotations

from torch import Tensor, nn

from workbench.models.support import Codec
from workbench.models.transitions import FlatHead
from workbench.types import Heads


class FlatPrediction(nn.Module):
    """Policy and value of a latent; reward and termination of the edge that led to it."""

    def __init__(
        self,
        shape: tuple[int, ...],
        actions: int,
        width: int,
        value: Codec,
        reward: Codec | None,
    ) -> None:
        super().__init__()
        self.codecs = {"value": value} | ({"reward": reward} if reward else {})
        self._actions = actions
        self.state = FlatHead(shape, width, actions + value.size)
        self.transition = FlatHead(shape, width, reward.size + 1) if reward else None

    def heads(self, latent: Tensor) -> Heads:
        raw = self.state(latent)
        policy, value = raw[..., : self._actions], raw[..., self._actions :]
        return Heads(policy, self.codecs["value"].decode(value), raw={"value": value})

    def edge(self, latent: Tensor) -> dict[str, Tensor]:
        if self.transition is None:
            raise TypeError("these heads were built without those of an edge")
        raw = self.transition(latent)
        return {"reward": raw[..., :-1], "termination": raw[..., -1]}
