"""PUCT once more, in plain Python and recursive, written from the MuZero paper (appendix B).

It knows nothing of the code under test: a model is three functions over hashable states.

    score(s, a) = Q(s, a) + P(s, a) sqrt(n) / (1 + N(s, a)) (c1 + log((n + c2 + 1) / c2))

n is the number of times that s was visited, its own evaluation counted (as in the reference
implementation `mctx`), so that the prior decides the first descent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field


@dataclass
class Mean:
    """A running mean; the mean of equal numbers is exactly that number."""

    value: float = 0.0
    count: int = 0

    def add(self, x: float) -> None:
        self.count += 1
        self.value += (x - self.value) / self.count


@dataclass
class Node:
    prior: dict[int, float]
    """Priors of the moves that may be tried here."""
    mean: Mean
    """Sum of backed-up values, including the node's own."""
    edges: dict[int, Edge] = field(default_factory=dict)
    state: Hashable = None

    @property
    def value(self) -> float:
        return self.mean.value

    def visits(self, moves: int) -> list[int]:
        return [self.edges[a].count if a in self.edges else 0 for a in range(moves)]


@dataclass
class Edge:
    reward: float
    discount: float
    child: Node
    mean: Mean = field(default_factory=Mean)

    @property
    def q(self) -> float:
        return self.mean.value

    @property
    def count(self) -> int:
        return self.mean.count


Evaluate = Callable[[Hashable], tuple[dict[int, float], float]]
"""state -> (prior over the moves to consider, value to the player to move)"""
Follow = Callable[[Hashable, int], tuple[Hashable, float, float]]
"""state, move -> (next state, reward, discount)"""


@dataclass
class Search:
    evaluate: Evaluate
    follow: Follow
    c1: float = 1.25
    c2: float = 19652.0
    normalisation: str = "min_max"
    unvisited: str = "zero"
    bounds: tuple[float, float] = (0.0, 1.0)
    low: float = math.inf
    high: float = -math.inf
    deepest: int = 0

    def __call__(self, state: Hashable, simulations: int, root_moves: list[int]) -> Node:
        prior, value = self.evaluate(state)
        total = sum(prior[a] for a in root_moves)
        root = Node({a: prior[a] / total for a in root_moves}, Mean(value, 1), state=state)
        for _ in range(simulations):
            self.simulate(root, 1)
        return root

    def simulate(self, node: Node, depth: int) -> float:
        """Descend once from `node` and return the value for the player to move there."""
        self.deepest = max(self.deepest, depth)
        move = max(node.prior, key=lambda a: self.score(node, a))
        if move not in node.edges:
            state, reward, discount = self.follow(node.state, move)
            prior, value = self.evaluate(state)
            node.edges[move] = Edge(reward, discount, Node(prior, Mean(value, 1), state=state))
            back = value
        elif node.edges[move].discount == 0:
            back = 0.0
        else:
            back = self.simulate(node.edges[move].child, depth + 1)
        edge = node.edges[move]
        back = edge.reward + edge.discount * back
        edge.mean.add(back)
        node.mean.add(back)
        self.low, self.high = min(self.low, edge.q), max(self.high, edge.q)
        return back

    def score(self, node: Node, move: int) -> float:
        if move in node.edges:
            quality, visits = self.scaled(node.edges[move].q), node.edges[move].count
        else:
            quality = self.scaled(node.value) if self.unvisited == "parent" else 0.0
            visits = 0
        growth = self.c1 + math.log((node.mean.count + self.c2 + 1) / self.c2)
        return quality + node.prior[move] * math.sqrt(node.mean.count) / (1 + visits) * growth

    def scaled(self, q: float) -> float:
        """Q as it enters the score. While the tree knows fewer than two Q, all count as 0."""
        if self.normalisation == "none":
            return q
        low, high = (self.low, self.high) if self.normalisation == "min_max" else self.bounds
        return (q - low) / (high - low) if high > low else 0.0


def softmax(logits: list[float]) -> list[float]:
    top = max(logits)
    weights = [math.exp(x - top) for x in logits]
    return [w / sum(weights) for w in weights]
