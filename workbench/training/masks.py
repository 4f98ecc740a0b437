"""Masks of the unrolled steps that a loss learns from."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from workbench.types import Window


def state_mask(window: Window, absorbing: bool) -> Tensor:
    """[B, K+1] float mask of states before the end, with `absorbing` also past a termination.

    The result is a tensor of the window; do not modify it.
    """
    return window.valid_or_absorbing if absorbing else window.valid


def transition_mask(window: Window, absorbing: bool) -> Tensor:
    """[B, K+1] float mask of the transitions into state k; state 0 has none."""
    return F.pad(state_mask(window, absorbing)[:, :-1], (1, 0))
