"""Classes of positions that rotations and reflections of the board map to each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from workbench.types import Symmetry


def symmetry_classes(observation: Tensor, symmetries: Sequence[Symmetry]) -> Tensor:
    """Return, for each position, the index of the first position of its class.

    Args:
        observation: [P, C, H, W] observations of the positions.
        symmetries: all symmetries of the board, including the identity.

    Returns:
        [P] indices; without symmetries every position is a class of its own.
    """
    planes = observation.flatten(2).numpy()
    images = [np.ascontiguousarray(planes[..., list(s.cells)]) for s in symmetries] or [planes]
    keys = [[position.tobytes() for position in image] for image in images]
    first: dict[bytes, int] = {}
    return torch.tensor(
        [first.setdefault(min(same), i) for i, same in enumerate(zip(*keys, strict=True))]
    )
