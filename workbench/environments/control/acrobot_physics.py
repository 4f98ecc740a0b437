"""A two-link arm (Sutton 1996), with the numbers of Gymnasium Acrobot-v1, "book".

A world is four numbers: the first link's angle from hanging down and the second's from the first
[rad], and their speeds [rad/s]. Both links are 1 m and 1 kg, with moment of inertia 1.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from workbench.environments.control.control_environment import Numbers, Physics

GRAVITY, CENTRE, SECONDS = 9.8, 0.5, 0.2
FASTEST = (4 * math.pi, 9 * math.pi)


def _begin(uniform: Numbers) -> Numbers:
    # In single precision, as Gymnasium's begin.
    return (0.2 * uniform - 0.1).astype(np.float32).astype(np.float64)


@njit(cache=True)
def _up(first: float, second: float) -> bool:
    """Whether the end of the arm is a link's length above its beginning."""
    return -math.cos(first) - math.cos(second + first) > 1.0


@njit(cache=True)
def _slope(at: Numbers, torque: float) -> Numbers:
    """[4] the time derivative (Sutton and Barto 1998, figure 11.4)."""
    first, second, turning, bending = at[0], at[1], at[2], at[3]
    cosine, sine = math.cos(second), math.sin(second)
    d1 = CENTRE**2 + (1.0 + CENTRE**2 + 2 * CENTRE * cosine) + 1.0 + 1.0
    d2 = (CENTRE**2 + CENTRE * cosine) + 1.0
    phi2 = CENTRE * GRAVITY * math.cos(first + second - math.pi / 2.0)
    phi1 = (
        -CENTRE * bending**2 * sine
        - 2 * CENTRE * bending * turning * sine
        + (CENTRE + 1.0) * GRAVITY * math.cos(first - math.pi / 2)
        + phi2
    )
    bent = torque + d2 / d1 * phi1 - CENTRE * turning**2 * sine - phi2
    bent = bent / (CENTRE**2 + 1.0 - d2**2 / d1)
    return np.array([turning, bending, -(d2 * bent + phi1) / d1, bent])


@njit(cache=True)
def _wrapped(angle: float) -> float:
    """The angle between -pi and pi."""
    while angle > math.pi:
        angle -= 2 * math.pi
    while angle < -math.pi:
        angle += 2 * math.pi
    return angle


@njit(cache=True)
def _step(
    state: Numbers, action: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The fourth-order method of Runge and Kutta."""
    reward, ended = np.zeros(len(action), np.float32), np.ones(len(action), np.bool_)
    for row in range(len(action)):
        at, torque = state[row, :4], action[row] - 1.0
        if _up(at[0], at[1]):
            continue
        k1 = _slope(at, torque)
        k2 = _slope(at + SECONDS / 2 * k1, torque)
        k3 = _slope(at + SECONDS / 2 * k2, torque)
        k4 = _slope(at + SECONDS * k3, torque)
        at += SECONDS / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)
        at[0], at[1] = _wrapped(at[0]), _wrapped(at[1])
        at[2] = min(max(at[2], -FASTEST[0]), FASTEST[0])
        at[3] = min(max(at[3], -FASTEST[1]), FASTEST[1])
        state[row, 4] += 1
        ended[row] = _up(at[0], at[1])
        reward[row] = 0.0 if ended[row] else -1.0
    return reward, ended


def _show(numbers: Numbers) -> Numbers:
    """Cosine and sine of both angles, and the speeds: [B, 6]."""
    first, second = numbers[:, 0], numbers[:, 1]
    turned = [np.cos(first), np.sin(first), np.cos(second), np.sin(second)]
    return np.stack([*turned, numbers[:, 2], numbers[:, 3]], 1)


PHYSICS = Physics(_begin, _step, _show, numbers=4)
