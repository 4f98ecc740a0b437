"""Which edge a simulation expands: the descent of PUCT, and that of Gumbel search.

All kernels that call each other stand in this one file: numba renews what it has cached when the
file of a kernel changes, not when that of a kernel called by it does.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from workbench.planning.tree.kernels import UNEXPANDED, Floats, Ints

NORMALISE_NONE, NORMALISE_MIN_MAX, NORMALISE_BOUNDS = 0, 1, 2
UNVISITED_ZERO, UNVISITED_PARENT = 0, 1


class PUCTRules(NamedTuple):
    """What the literature does in several ways, as numbers that the kernels read."""

    exploration: Floats  # [N+2] the factor of a node's prior by its visits
    normalise: int
    unvisited: int
    low: float
    high: float


class GumbelRules(NamedTuple):
    """What the kernels read of a Gumbel search; illegal moves have any `root`."""

    root: Floats  # [B, W] Gumbel noise + log prior of the root's moves
    considered: Ints  # [m+1, N] by entrants and simulation, the visits of the move whose turn it is
    entrants: Ints  # [B] moves that enter the halving
    c_visit: float
    c_scale: float
    span: float  # that Q is divided by; 0 for the range of the node's own completed Q
    weight: Floats  # [W] scratch


@njit(cache=True, error_model="numpy")
def select_puct(trees: Any, rules: Any, parent: Any, action: Any) -> None:
    """Descend each tree to an edge to expand, or to a known end; write where it starts.

    parent [B], action [B] int64: what the model is to step.
    """
    for b in range(parent.shape[0]):
        node, length = 0, 0
        while node != UNEXPANDED:
            if trees.at_chance[b, node]:
                choice = _choose_outcome(trees, b, node)
            else:
                choice = _choose_by_puct(trees, b, node, rules)
            trees.path_node[b, length], trees.path_child[b, length] = node, choice
            length += 1
            node = _below(trees.child, trees.discount, b, node, choice)
        _arrive(trees, b, length, parent, action)


@njit(cache=True, error_model="numpy")
def select_gumbel(trees: Any, rules: Any, parent: Any, action: Any) -> None:
    """As `select_puct`: sequential halving at the root, below it the improved policy."""
    for b in range(parent.shape[0]):
        node, length = 0, 0
        while node != UNEXPANDED:
            if trees.at_chance[b, node]:
                choice = _choose_outcome(trees, b, node)
            elif node == 0:
                turn = rules.considered[rules.entrants[b], trees.node_visits[b, 0] - 1]
                choice = _choose_at_root(trees, b, turn, rules)
            else:
                choice = _choose_by_improved_policy(trees, b, node, rules)
            trees.path_node[b, length], trees.path_child[b, length] = node, choice
            length += 1
            node = _below(trees.child, trees.discount, b, node, choice)
        _arrive(trees, b, length, parent, action)


@njit(cache=True, error_model="numpy")
def _below(child: Any, discount: Any, b: int, node: int, choice: int) -> int:
    """The node that an edge leads to; UNEXPANDED too where it is a known end."""
    below: int = child[b, node, choice]
    if below != UNEXPANDED and discount[b, node, choice] == 0.0:
        return UNEXPANDED
    return below


@njit(cache=True, error_model="numpy")
def _arrive(trees: Any, b: int, length: int, parent: Any, action: Any) -> None:
    """Write down the end of a path of this length."""
    trees.path_length[b] = length
    trees.depth[b] = max(trees.depth[b], length)
    parent[b], action[b] = trees.path_node[b, length - 1], trees.path_child[b, length - 1]


@njit(cache=True, error_model="numpy")
def _choose_outcome(trees: Any, b: int, node: int) -> int:
    """argmax_c sigma(c) / (n_c + 1): visits follow the probabilities (Stochastic MuZero)."""
    best, best_score = 0, -np.inf
    for c in range(trees.prior.shape[2]):
        if trees.prior[b, node, c] < 0.0:
            continue
        score = trees.prior[b, node, c] / (trees.visits[b, node, c] + 1.0)
        if score > best_score:
            best, best_score = c, score
    return best


@njit(cache=True, error_model="numpy")
def _choose_by_puct(trees: Any, b: int, node: int, rules: Any) -> int:
    """argmax_a Q + P * exploration / (1 + n_a), Q scaled as the rules say (MuZero, eq. 2, 5)."""
    low, span = 0.0, 1.0
    if rules.normalise == NORMALISE_MIN_MAX:
        low, span = trees.low[b], trees.high[b] - trees.low[b]
    elif rules.normalise == NORMALISE_BOUNDS:
        low, span = rules.low, rules.high - rules.low
    # Before two different q are known there is nothing to scale: all count as the least.
    shrink = 1.0 / span if 0.0 < span < np.inf else 0.0
    low = low if shrink > 0.0 else 0.0
    unvisited = 0.0
    if rules.unvisited == UNVISITED_PARENT:
        unvisited = (trees.node_value[b, node] - low) * shrink
    scale = rules.exploration[trees.node_visits[b, node]]
    best, best_score = 0, -np.inf
    priors, visits, q = trees.prior[b, node], trees.visits[b, node], trees.q[b, node]
    for a in range(len(priors)):
        if priors[a] < 0.0:
            continue
        value = (q[a] - low) * shrink if visits[a] > 0 else unvisited
        score = value + priors[a] * scale / (1.0 + visits[a])
        if score > best_score:
            best, best_score = a, score
    return best


@njit(cache=True, error_model="numpy")
def _choose_at_root(trees: Any, b: int, turn: int, rules: Any) -> int:
    """argmax of g(a) + log P(a) + sigma(q(a)) over the root's moves that have `turn` visits."""
    mixed, greatest, slope = _completion(trees, b, 0, rules)
    best, best_score = 0, -np.inf
    priors, visits, q = trees.prior[b, 0], trees.visits[b, 0], trees.q[b, 0]
    for a in range(len(priors)):
        if priors[a] < 0.0 or visits[a] != turn:
            continue
        completed = q[a] if visits[a] > 0 else mixed
        score = rules.root[b, a] + slope * (completed - greatest)
        if score > best_score:
            best, best_score = a, score
    return best


@njit(cache=True, error_model="numpy")
def _choose_by_improved_policy(trees: Any, b: int, node: int, rules: Any) -> int:
    """argmax_a pi'(a) - N(a) / (1 + sum_b N(b)) (Danihelka et al. 2022, section 5)."""
    total, _ = _improve(trees, b, node, rules)
    best, best_score = 0, -np.inf
    visits = trees.visits[b, node]
    for a in range(len(visits)):
        if trees.prior[b, node, a] < 0.0:
            continue
        score = rules.weight[a] / total - visits[a] / trees.node_visits[b, node]
        if score > best_score:
            best, best_score = a, score
    return best


@njit(cache=True, error_model="numpy")
def _improve(trees: Any, b: int, node: int, rules: Any) -> tuple[float, float]:
    """Write pi' = softmax(log P + sigma(completed q)), times a total, into `rules.weight`.

    Returns:
        the total, and the value v_mix that completes q.
    """
    mixed, greatest, slope = _completion(trees, b, node, rules)
    priors, visits, q = trees.prior[b, node], trees.visits[b, node], trees.q[b, node]
    total, unvisited = 0.0, np.exp(slope * (mixed - greatest))
    for a in range(len(priors)):
        rules.weight[a] = 0.0
        if priors[a] < 0.0:
            continue
        growth = np.exp(slope * (q[a] - greatest)) if visits[a] > 0 else unvisited
        rules.weight[a] = priors[a] * growth
        total += rules.weight[a]
    return total, mixed


@njit(cache=True, error_model="numpy")
def _completion(trees: Any, b: int, node: int, rules: Any) -> tuple[float, float, float]:
    """v_mix, the greatest completed q, and the slope of sigma (Danihelka et al. 2022).

    Over the moves that may be chosen here; mctx counts illegal ones, as unvisited, in the range.

    sigma(q) = (c_visit + max_b N(b)) c_scale q / span (eq. 8); an offset of q counts for nothing.
    v_mix = (v + n sum_b P(b) q(b) / sum_b P(b)) / (1 + n), visited b, n visits (appendix D).
    """
    priors, visits, q = trees.prior[b, node], trees.visits[b, node], trees.q[b, node]
    total, most, unvisited = 0, 0, False
    mass, weighed, least, greatest = 0.0, 0.0, np.inf, -np.inf
    for a in range(len(priors)):
        if priors[a] < 0.0:
            continue
        if visits[a] == 0:
            unvisited = True
            continue
        total += visits[a]
        most = max(most, visits[a])
        mass += priors[a]
        weighed += priors[a] * q[a]
        least, greatest = min(least, q[a]), max(greatest, q[a])
    mixed = trees.raw_value[b, node]
    if total > 0:
        mixed = (mixed + total * (weighed / mass)) / (1.0 + total)
    if unvisited:
        least, greatest = min(least, mixed), max(greatest, mixed)
    # Differences too small to be more than rounding are not blown up (as in mctx).
    span = rules.span if rules.span > 0.0 else max(greatest - least, 1e-8)
    return mixed, greatest, (rules.c_visit + most) * rules.c_scale / span


@njit(cache=True, error_model="numpy")
def conclude_gumbel(trees: Any, rules: Any, policy: Any, q: Any, action: Any) -> None:
    """What a search comes to: pi' [B, A] at the root, completed q [B, A], the move [B]."""
    for b in range(action.shape[0]):
        total, mixed = _improve(trees, b, 0, rules)
        most = 0
        for a in range(policy.shape[1]):
            policy[b, a] = rules.weight[a] / total
            q[b, a] = trees.q[b, 0, a] if trees.visits[b, 0, a] > 0 else mixed
            most = max(most, trees.visits[b, 0, a])
        action[b] = _choose_at_root(trees, b, most, rules)
