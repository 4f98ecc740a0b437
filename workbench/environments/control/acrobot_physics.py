"""Acrobot, a two-link arm (Sutton 1996), with the constants of Gymnasium Acrobot-v1 ("book").

State variables: angle of the first link from hanging down [rad], angle of the second link relative
to the first [rad], and both angular velocities [rad/s]. Each link has length 1 m, mass 1 kg and
moment of inertia 1 kg m^2.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from workbench.environments.control.control_environment import Float64Array, Physics

GRAVITY, CENTRE_OF_MASS, TIME_STEP = 9.8, 0.5, 0.2
MAX_VELOCITY = (4 * math.pi, 9 * math.pi)


def _initial_state(uniform: Float64Array) -> Float64Array:
    # Rounded to float32, as in Gymnasium.
    return (0.2 * uniform - 0.1).astype(np.float32).astype(np.float64)


@njit(cache=True)
def _is_up(first: float, second: float) -> bool:
    """Return whether the tip is more than one link length above the fixed joint."""
    return -math.cos(first) - math.cos(second + first) > 1.0


@njit(cache=True)
def _derivative(state: Float64Array, torque: float) -> Float64Array:
    """Return the time derivative [4] of a state [4] (Sutton and Barto 1998, figure 11.4)."""
    first, second, velocity1, velocity2 = state[0], state[1], state[2], state[3]
    cosine, sine = math.cos(second), math.sin(second)
    d1 = CENTRE_OF_MASS**2 + (1.0 + CENTRE_OF_MASS**2 + 2 * CENTRE_OF_MASS * cosine) + 1.0 + 1.0
    d2 = (CENTRE_OF_MASS**2 + CENTRE_OF_MASS * cosine) + 1.0
    phi2 = CENTRE_OF_MASS * GRAVITY * math.cos(first + second - math.pi / 2.0)
    phi1 = (
        -CENTRE_OF_MASS * velocity2**2 * sine
        - 2 * CENTRE_OF_MASS * velocity2 * velocity1 * sine
        + (CENTRE_OF_MASS + 1.0) * GRAVITY * math.cos(first - math.pi / 2)
        + phi2
    )
    acceleration2 = torque + d2 / d1 * phi1 - CENTRE_OF_MASS * velocity1**2 * sine - phi2
    acceleration2 = acceleration2 / (CENTRE_OF_MASS**2 + 1.0 - d2**2 / d1)
    acceleration1 = -(d2 * acceleration2 + phi1) / d1
    return np.array([velocity1, velocity2, acceleration1, acceleration2])


@njit(cache=True)
def _wrap(angle: float) -> float:
    """Return the equivalent angle in [-pi, pi]."""
    while angle > math.pi:
        angle -= 2 * math.pi
    while angle < -math.pi:
        angle += 2 * math.pi
    return angle


@njit(cache=True)
def _step(
    state: Float64Array, action: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Integrate one time step with the fourth-order Runge-Kutta method."""
    reward, terminated = np.zeros(len(action), np.float32), np.ones(len(action), np.bool_)
    for row in range(len(action)):
        s, torque = state[row, :4], action[row] - 1.0
        if _is_up(s[0], s[1]):
            continue
        k1 = _derivative(s, torque)
        k2 = _derivative(s + TIME_STEP / 2 * k1, torque)
        k3 = _derivative(s + TIME_STEP / 2 * k2, torque)
        k4 = _derivative(s + TIME_STEP * k3, torque)
        s += TIME_STEP / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)
        s[0], s[1] = _wrap(s[0]), _wrap(s[1])
        s[2] = min(max(s[2], -MAX_VELOCITY[0]), MAX_VELOCITY[0])
        s[3] = min(max(s[3], -MAX_VELOCITY[1]), MAX_VELOCITY[1])
        state[row, 4] += 1
        terminated[row] = _is_up(s[0], s[1])
        reward[row] = 0.0 if terminated[row] else -1.0
    return reward, terminated


def _observe(state: Float64Array) -> Float64Array:
    """Return cosine and sine of both angles, and both angular velocities, [B, 6]."""
    first, second = state[:, 0], state[:, 1]
    directions = [np.cos(first), np.sin(first), np.cos(second), np.sin(second)]
    return np.stack([*directions, state[:, 2], state[:, 3]], 1)


PHYSICS = Physics(_initial_state, _step, _observe, state_size=4)
