"""Share of the training targets that an encoding of scalars cannot express."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from workbench.models.value_encoding import ValueEncoding
from workbench.types import Target

NOTED_SHARE = 0.01
"""Share from which the result has a note; a search value may exceed the bounds a little."""
TOLERANCE = 1e-6
"""Rounding error of a target, as a share of the range."""


class ClampedTargets:
    """Counts the targets outside the range of a categorical encoding, which clamps them."""

    def __init__(self, encodings: Mapping[str, ValueEncoding]) -> None:
        self._bounds = {name: e.bounds for name, e in encodings.items() if e.bounds is not None}
        self._counts = {name: torch.zeros(2, dtype=torch.int64) for name in self._bounds}

    @torch.no_grad()
    def count(self, targets: Mapping[str, Target]) -> None:
        """Count the targets of one update that are not masked out."""
        for name, (low, high) in self._bounds.items():
            target = targets.get(name)
            if target is None or target.value.shape != target.mask.shape:
                continue
            slack = TOLERANCE * (high - low)
            outside = (target.value < low - slack) | (target.value > high + slack)
            used = target.mask > 0
            counts = torch.stack([(outside & used).sum(), used.sum()])
            self._counts[name] += counts.to(self._counts[name].device)

    def shares(self) -> dict[str, float]:
        """Return the share of clamped targets by name, where it is above 0."""
        counts = {name: pair.tolist() for name, pair in self._counts.items()}
        return {name: clamped / total for name, (clamped, total) in counts.items() if clamped}

    def notes(self) -> Iterator[str]:
        """Yield a remark for each kind of targets of which a considerable share was clamped."""
        for name, share in self.shares().items():
            if share >= NOTED_SHARE:
                low, high = self._bounds[name]
                yield (
                    f"{share:.1%} of the {name} targets lay outside [{low:g}, {high:g}], the range "
                    f"of the {name} head, and were clamped; widen its `low` and `high`"
                )

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state for a checkpoint."""
        return self._counts

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore the state from a checkpoint."""
        self._counts |= state
