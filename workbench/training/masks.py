"""Where along an unrolled window there is something to learn."""

from __future__ import annotations

from torch import Tensor

from workbench.types import Window


def of_states(window: Window, absorbing: bool) -> Tensor:
    """[B, K+1] float: states before the end; with `absorbing`, those past a termination too."""
    index = window.index(window.unroll + 1)
    inside = index < window.remaining[:, None]
    return (inside | (window.terminated[:, None] & absorbing)).float()


def of_edges(window: Window, absorbing: bool) -> Tensor:
    """[B, K+1] float: the edge into state k. There is none into the first."""
    index = window.index(window.unroll + 1)
    inside = index <= window.remaining[:, None]
    known = inside | (window.terminated[:, None] & absorbing)
    return (known & (index > 0)).float()
