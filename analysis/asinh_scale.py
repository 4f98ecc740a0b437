"""An asinh axis scale, for values that are mostly near the optimum with a few far from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.statistics import Floats
from workbench.metrics import MetricSpec

MIN_OUTLIER_RATIO = 20.0
"""Smallest ratio of the largest to the median distance from the optimum that needs the scale."""
MIN_TICK_GAP = 0.09
"""Smallest gap between two ticks, as a share of the axis length."""


@dataclass(frozen=True)
class AsinhScale:
    """Scale of the distance from `best`: linear up to about `width`, logarithmic beyond."""

    best: float
    width: float

    def forward(self, values: Floats) -> Floats:
        """Map data values to axis positions."""
        return np.asarray(np.arcsinh((np.asarray(values) - self.best) / self.width))

    def inverse(self, positions: Floats) -> Floats:
        """Map axis positions to data values."""
        return np.asarray(self.best + self.width * np.sinh(positions))

    def ticks(self, low: float, high: float) -> list[float]:
        """Return tick values at round distances from `best`, as many as fit between two limits."""
        sign = 1.0 if self.best - low < high - self.best else -1.0
        round_distances = [m * 10.0**k for k in range(-6, 7) for m in (1, 2, 5)]
        ticks = [self.best]
        min_gap = MIN_TICK_GAP * abs(float(np.ptp(self.forward(np.array([low, high])))))
        for value in (self.best + sign * distance for distance in round_distances):
            gap = abs(float(np.diff(self.forward(np.array([ticks[-1], value])))[0]))
            if low <= value <= high and gap >= min_gap:
                ticks.append(value)
        return sorted(ticks)


def fit_asinh_scale(metric: MetricSpec, values: Floats) -> AsinhScale | None:
    """Return the scale for displayed `values`, or None if a linear or log axis serves them."""
    if metric.better == "higher" and metric.unit != "share":
        return None  # the optimum is unknown
    best = 100.0 if metric.better == "higher" else 0.0
    distances = np.abs(values - best)
    median, nonzero = float(np.median(distances)), distances[distances > 0]
    if not nonzero.size or (metric.better == "lower" and values.min() < 0):
        return None
    if float(distances.max()) < MIN_OUTLIER_RATIO * max(median, float(nonzero.min())):
        return None
    return AsinhScale(best, max(median, float(nonzero.min())) / 2)
