"""Gumbel MuZero's search once more, in plain Python and recursive, written from the paper.

Danihelka et al. 2022, "Policy improvement by planning with Gumbel". It knows nothing of the code
under test: a model is two functions over hashable states.

    sigma(q) = (c_visit + max_b N(b)) c_scale q                              (eq. 8)
    v_mix    = (v + n sum_b pi(b) q(b) / sum_b pi(b)) / (1 + n), visited b   (appendix D)
    pi'      = softmax(logits + sigma(completed q))                          (eq. 11)
    interior : argmax pi'(a) - N(a) / (1 + n)                                (section 5)
    root     : the best by g + logits + sigma(completed q) of those whose turn it is
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from tests.workbench.planning.recursive_puct import Mean, softmax


@dataclass
class Edge:
    reward: float
    discount: float
    child: Node
    mean: Mean = field(default_factory=Mean)


@dataclass
class Node:
    state: Hashable
    logits: dict[int, float]
    own: float
    """Value predicted by the model."""
    mean: Mean
    edges: dict[int, Edge] = field(default_factory=dict)

    def count(self, move: int) -> int:
        return self.edges[move].mean.count if move in self.edges else 0


Evaluate = Callable[[Hashable], tuple[dict[int, float], float]]
"""state -> (logits of the moves to consider, value to the player to move)"""
Follow = Callable[[Hashable, int], tuple[Hashable, float, float]]
"""state, move -> (next state, reward, discount)"""


@dataclass
class Search:
    evaluate: Evaluate
    follow: Follow
    considered: int = 16
    c_visit: float = 50.0
    c_scale: float = 0.1
    normalisation: str = "min_max"
    bounds: tuple[float, float] = (0.0, 1.0)
    noise: list[float] = field(default_factory=list)
    deepest: int = 0

    def __call__(self, state: Hashable, simulations: int, moves: list[int]) -> Node:
        logits, value = self.evaluate(state)
        root = Node(state, {a: logits[a] for a in moves}, value, Mean(value, 1))
        for visits in halving(min(self.considered, len(moves)), simulations):
            self.descend(root, self.best(root, visits), 1)
        return root

    def best(self, root: Node, visits: int) -> int:
        """The best of the root's moves that were visited so often."""
        completed = self.completed(root)
        turn = [a for a in root.logits if root.count(a) == visits]
        noise = self.noise or [0.0] * (max(root.logits) + 1)
        return max(turn, key=lambda a: noise[a] + root.logits[a] + self.sigma(root, completed)[a])

    def chosen(self, root: Node) -> int:
        return self.best(root, max(root.count(a) for a in root.logits))

    def descend(self, node: Node, move: int, depth: int) -> float:
        """Visit a move once more and return its value for the player to move at `node`."""
        self.deepest = max(self.deepest, depth)
        if move not in node.edges:
            state, reward, discount = self.follow(node.state, move)
            logits, back = self.evaluate(state)
            node.edges[move] = Edge(reward, discount, Node(state, logits, back, Mean(back, 1)))
        elif node.edges[move].discount == 0:
            back = 0.0
        else:
            child = node.edges[move].child
            back = self.descend(child, self.interior(child), depth + 1)
        edge = node.edges[move]
        back = edge.reward + edge.discount * back
        edge.mean.add(back)
        node.mean.add(back)
        return back

    def interior(self, node: Node) -> int:
        policy = self.improved(node)
        n = sum(node.count(a) for a in node.logits)
        return max(node.logits, key=lambda a: policy[a] - node.count(a) / (1 + n))

    def improved(self, node: Node) -> dict[int, float]:
        """pi'"""
        sigma = self.sigma(node, self.completed(node))
        moves = list(node.logits)
        return dict(zip(moves, softmax([node.logits[a] + sigma[a] for a in moves]), strict=True))

    def completed(self, node: Node) -> dict[int, float]:
        """q of the visited moves, v_mix of the others."""
        prior = dict(zip(node.logits, softmax(list(node.logits.values())), strict=True))
        n = sum(node.count(a) for a in node.logits)
        mixed = node.own
        if node.edges:
            mass = sum(prior[b] for b in node.edges)
            mean = sum(prior[b] * edge.mean.value for b, edge in node.edges.items()) / mass
            mixed = (node.own + n * mean) / (1 + n)
        return {a: node.edges[a].mean.value if a in node.edges else mixed for a in node.logits}

    def sigma(self, node: Node, completed: dict[int, float]) -> dict[int, float]:
        low, high = 0.0, 1.0
        if self.normalisation == "min_max":
            low, high = min(completed.values()), max(completed.values())
            high = max(high, low + 1e-8)
        elif self.normalisation == "bounds":
            low, high = self.bounds
        factor = (self.c_visit + max(node.count(a) for a in node.logits)) * self.c_scale
        return {a: factor * (q - low) / (high - low) for a, q in completed.items()}


def halving(entrants: int, simulations: int) -> list[int]:
    """Visits of the considered move for each simulation, simulated with a list of moves."""
    if entrants <= 1:
        return list(range(simulations))
    visits = dict.fromkeys(range(entrants), 0)
    survivors, turns = list(visits), []
    while True:
        each = int(simulations / (math.ceil(math.log2(entrants)) * len(survivors)))
        for _ in range(max(1, each)):
            for move in survivors:
                turns.append(visits[move])
                visits[move] += 1
                if len(turns) == simulations:
                    return turns
        survivors = survivors[: max(2, len(survivors) // 2)]
