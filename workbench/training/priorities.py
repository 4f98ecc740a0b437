"""Prioritised replay: steps with a large value error are sampled more often."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from workbench.errors import TrialDiverged
from workbench.training.ring_buffer import RingBuffer
from workbench.training.settings import PrioritiesConfig

MAX_PRIORITY = 1e100
"""Upper bound of a priority, so that sums of priorities stay finite."""


class Priorities:
    """p^alpha of every slot; 0 where no window can start (Schaul et al. 2016, equation 1)."""

    def __init__(self, ring: RingBuffer, settings: PrioritiesConfig) -> None:
        self._ring, self._settings = ring, settings
        self._mass = torch.zeros(ring.capacity, dtype=torch.float64)

    def exclude(self, slots: Tensor) -> None:
        """Exclude `slots` as starts of windows."""
        self._mass[slots] = 0.0

    def update(self, serial: Tensor, error: Tensor) -> None:
        """Set the priorities of steps `serial` [N] from their absolute value errors [N].

        Steps that have been overwritten since are ignored.

        Raises:
            TrialDiverged: an error is not finite.
        """
        if not bool(error.isfinite().all()):
            raise TrialDiverged("the value error is not finite")
        priority = (error.double() + self._settings.epsilon).clamp(max=MAX_PRIORITY)
        held = self._ring.held(serial)
        self._mass[serial[held] % self._ring.capacity] = priority[held] ** self._settings.alpha

    def sample(self, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Sample slots independently with P(i) = p_i^alpha / sum p^alpha.

        Returns:
            Slots [count], and importance weights [count]: (1/(N P))^beta divided by the maximum
            of the batch (appendix B.2.1).
        """
        cumulative = self._mass.cumsum(0)
        total = cumulative[-1]
        uniform = torch.rand(count, dtype=torch.float64, generator=generator)
        # If rounding raised `point` to the total, the slot would exceed the last one.
        point = (uniform * total).minimum(total.nextafter(torch.zeros_like(total)))
        slots = torch.searchsorted(cumulative, point, right=True)
        mass = self._mass[slots]
        # N and the sum cancel: w_i / max w = (min P / P_i)^beta.
        weight = (mass.min() / mass) ** self._settings.beta
        return slots, weight.float()

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state for a checkpoint."""
        return {"mass": self._mass[: self._ring.size].clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the priorities; the ring buffer must have been restored before."""
        self._mass.zero_()
        self._mass[: self._ring.size] = state["mass"]
