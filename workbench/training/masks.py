"""Where along an unrolled window there is something to learn."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from workbench.types import Window


def of_states(window: Window, absorbing: bool) -> Tensor:
    """[B, K+1] float: states before the end; with `absorbing`, those past a termination too.

    The window's own, not to be written to.
    """
    return window.lasting if absorbing else window.inside


def of_edges(window: Window, absorbing: bool) -> Tensor:
    """[B, K+1] float: the edge into state k. There is none into the first."""
    return F.pad(of_states(window, absorbing)[:, :-1], (1, 0))
