"""Prioritised replay: steps whose value surprised are trained on more often, and count less."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from workbench.errors import TrialDiverged
from workbench.training.ring_buffer import Ring
from workbench.training.settings import PrioritiesConfig

LARGEST = 1e100
"""No priority is greater, so that the sum of any number of them is finite."""


class Priorities:
    """p^alpha of every row of a ring, 0 where no window may begin (Schaul et al. 2016, eq. 1)."""

    def __init__(self, ring: Ring, settings: PrioritiesConfig) -> None:
        self._ring, self._settings = ring, settings
        self._mass = torch.zeros(ring.capacity, dtype=torch.float64)

    def drop(self, place: Tensor) -> None:
        """No window begins at rows `place` any more."""
        self._mass[place] = 0.0

    def put(self, serial: Tensor, error: Tensor) -> None:
        """Give rows their priority by the absolute `error` [N] of the value; the gone have none.

        Raises:
            TrialDiverged: an error is not a finite number.
        """
        if not bool(error.isfinite().all()):
            raise TrialDiverged("the error of the value is not a finite number")
        priority = (error.double() + self._settings.epsilon).clamp(max=LARGEST)
        held = self._ring.held(serial)
        self._mass[serial[held] % self._ring.capacity] = priority[held] ** self._settings.alpha

    def draw(self, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Rows drawn independently of each other with P(i) = p_i^alpha / sum p^alpha.

        Returns:
            their places, and how much each counts: (1/(N P))^beta over the batch's greatest
            (appendix B.2.1). Both [count].
        """
        below = self._mass.cumsum(0)
        total = below[-1]
        uniform = torch.rand(count, dtype=torch.float64, generator=generator)
        # Rounded up to the total itself, a number would lie beyond the last row.
        point = (uniform * total).minimum(total.nextafter(torch.zeros_like(total)))
        place = torch.searchsorted(below, point, right=True)
        mass = self._mass[place]
        # N and the sum cancel: w_i / max w = (min P / P_i)^beta.
        weight = (mass.min() / mass) ** self._settings.beta
        return place, weight.float()

    def state_dict(self) -> dict[str, Tensor]:
        return {"mass": self._mass[: self._ring.size].clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """The ring has been taken up before."""
        self._mass.zero_()
        self._mass[: self._ring.size] = state["mass"]
