"""A scale for values of which most lie near the best there is, and some lie far from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.statistics import Floats
from workbench.metrics import MetricSpec

FAR = 20.0
"""How many times farther than the middle one the farthest must be."""
APART = 0.09
"""Between two ticks at the least, in shares of the axis."""


@dataclass(frozen=True)
class Stretched:
    """Distances from the best value: linear up to about `width`, logarithmic beyond."""

    best: float
    width: float

    def forward(self, values: Floats) -> Floats:
        return np.asarray(np.arcsinh((np.asarray(values) - self.best) / self.width))

    def inverse(self, places: Floats) -> Floats:
        return np.asarray(self.best + self.width * np.sinh(places))

    def ticks(self, low: float, high: float) -> list[float]:
        """Round distances from the best value, as many as have room between two limits."""
        sign = 1.0 if self.best - low < high - self.best else -1.0
        rounds = [m * 10.0**k for k in range(-6, 7) for m in (1, 2, 5)]
        chosen = [self.best]
        room = APART * abs(float(np.ptp(self.forward(np.array([low, high])))))
        for value in (self.best + sign * distance for distance in rounds):
            gap = abs(float(np.diff(self.forward(np.array([chosen[-1], value])))[0]))
            if low <= value <= high and gap >= room:
                chosen.append(value)
        return sorted(chosen)


def stretched(metric: MetricSpec, values: Floats) -> Stretched | None:
    """The scale for these values as they are shown; None where another will do."""
    if metric.better == "higher" and metric.unit != "share":
        return None  # nobody knows the best
    best = 100.0 if metric.better == "higher" else 0.0
    distances = np.abs(values - best)
    middle, there = float(np.median(distances)), distances[distances > 0]
    if not there.size or (metric.better == "lower" and values.min() < 0):
        return None
    if float(distances.max()) < FAR * max(middle, float(there.min())):
        return None
    return Stretched(best, max(middle, float(there.min())) / 2)
