"""Where along an unrolled window there is something to learn."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.types import Window


def of_states(window: Window, absorbing: bool) -> Tensor:
    """[B, K+1] float: states before the end; with `absorbing`, those past a termination too."""
    return (window.index(window.unroll + 1) < _end(window, absorbing)).float()


def of_edges(window: Window, absorbing: bool) -> Tensor:
    """[B, K+1] float: the edge into state k. There is none into the first."""
    mask = (window.index(window.unroll + 1) <= _end(window, absorbing)).float()
    mask[:, 0] = 0
    return mask


def _end(window: Window, absorbing: bool) -> Tensor:
    """[B, 1] how far there is something to learn: to the end, or past a termination for good."""
    remaining = window.remaining
    if absorbing:
        remaining = remaining.masked_fill(window.terminated, torch.iinfo(remaining.dtype).max)
    return remaining[:, None]
