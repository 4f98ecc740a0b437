"""Shared data types: frozen records that environments, models, planners and losses exchange.

Field comments give tensor shapes: B is the batch size, A the number of actions, n the number of
agents, K the unroll length. This module does not import torch at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from math import inf
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    Protocol,
    TypeAlias,
    TypeVar,
    cast,
    runtime_checkable,
)

if TYPE_CHECKING:
    from torch import Generator, Tensor

LatentKind = Literal["vector", "grid", "nodes", "slots", "belief"]

Latent: TypeAlias = Any
"""A batch of latents: a tensor or a frozen record of tensors, batch first.

Planners store latents and gather them by row, but never read their contents.
"""

State: TypeAlias = Any
"""The states of a batch of environments: a tensor or a frozen record of tensors, batch first."""


@dataclass(frozen=True)
class Graph:
    """An undirected graph without loops. `edges` holds both directions of every connected pair.

    Raises:
        ValueError: an edge is there twice, has no opposite direction, or is outside the nodes.
    """

    nodes: int
    edges: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        known = set(self.edges)
        if len(known) < len(self.edges):
            raise ValueError("a graph has an edge twice")
        for a, b in self.edges:
            if a == b or not (0 <= a < self.nodes and 0 <= b < self.nodes):
                raise ValueError(f"edge ({a}, {b}) does not connect two of {self.nodes} nodes")
            if (b, a) not in known:
                raise ValueError(f"edge ({a}, {b}) lacks its opposite direction ({b}, {a})")


@dataclass(frozen=True)
class Symmetry:
    """A rotation or reflection of a board under which the rules are invariant."""

    cells: tuple[int, ...]
    """Cell i of the transformed board has the content of cell `cells[i]` of the original."""
    actions: tuple[int, ...]
    """Action a on the original board is action `actions[a]` on the transformed board."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """Static properties of an environment, known without building it."""

    name: str
    """Name of the environment's component, followed by `:member` if it covers a family."""
    observation: tuple[int, ...]
    """Shape of one agent's observation: (C, H, W) or (D,)."""
    actions: int
    """Number of actions of one agent."""
    agents: int = 1
    """Number of agents n. If n > 1, observations, actions and legal masks are [B, n, ...].

    All agents share one reward.
    """
    alternating: bool = False
    """Whether this is a two-player zero-sum game with alternating moves."""
    horizon: int | None = None
    """Maximum number of steps in an episode; None if unknown."""
    bounds: tuple[float, float] | None = None
    """Lower and upper bound of the value of any state; None if unknown."""
    reward_bounds: tuple[float, float] | None = None
    """Lower and upper bound of the reward of one step; None if unknown."""
    chance: int = 0
    """Number of outcomes of a chance node; 0 for a deterministic environment."""
    graphs: Mapping[str, Graph] = field(default_factory=dict)
    """Named graphs over the H*W cells. Node i is cell i in row-major order."""
    action_planes: tuple[tuple[tuple[int, int], ...], ...] = ()
    """For each action, the (plane, cell) pairs that encode it on the board.

    Empty if the actions have no such spatial encoding.
    """
    symmetries: tuple[Symmetry, ...] = ()
    """All symmetries of the board, including the identity; empty if none is known."""
    observes_history: bool = False
    """Whether an observation includes earlier ones.

    Then two orders of the same actions never lead to the same observation.
    """
    oracle: bool = False
    """Whether the exact value of every action in every state is available through `q`.

    The environment is then a `SolvedEnvironment`.
    """
    enumerable: bool = False
    """Whether there is an oracle and `positions` can list every position."""
    cloneable: bool = True
    """Whether states can be gathered by index, so that a search can plan in the true environment.

    If not, the environment is a `ForwardOnlyEnvironment`.
    """


@dataclass(frozen=True)
class Transition:
    """The result of one step of a batch of environments."""

    reward: Tensor  # [B] for the player who acted
    discount: Tensor  # [B] 0 if terminal; else +gamma, or -gamma if the other player acts next
    terminated: Tensor  # [B] bool
    truncated: Tensor  # [B] bool, the time limit was reached; this is not a termination


class Environment(Protocol):
    """A batch of environments as pure functions of a state.

        state = environment.reset(256, generator)
        state, transition = environment.step(state, action, generator)

    A step from a terminal state returns the same state, with reward 0 and discount 0.
    """

    spec: EnvironmentSpec

    def reset(self, batch: int, generator: Generator) -> State:
        """Return `batch` initial states."""
        ...

    def step(self, state: State, action: Tensor, generator: Generator) -> tuple[State, Transition]:
        """Return the next states and the transitions; `action` is [B], or [B, n] for n agents."""
        ...

    def observe(self, state: State) -> Tensor:
        """Return observations [B, *observation], or [B, n, *observation] for n agents.

        They are relative to the player to move. The dtype is the smallest that holds them: bool
        for binary planes, uint8 for pixels (255 means 1.0), else float32. Models convert them with
        `models.layers.as_input`.
        """
        ...

    def legal(self, state: State) -> Tensor:
        """Return the mask of legal actions: [B, A] bool, or [B, n, A] for n agents."""
        ...

    def chance(self, state: State) -> Tensor | None:
        """Return the outcome probabilities [B, outcomes] at chance nodes; None if there are none.

        Rows of decision nodes are 0.
        """
        ...


class ForwardOnlyEnvironment(Environment, Protocol):
    """Environments that only run forward: only the latest state of each can be stepped.

    Earlier states can still be observed, and rows of states can be concatenated.
    """

    def save(self, state: State) -> State:
        """Return a record of tensors from which `restore` can rebuild the environments."""
        ...

    def restore(self, saved: State) -> State:
        """Return the saved state, with environments that continue exactly as the saved ones."""
        ...


@dataclass(frozen=True)
class LatentSpec:
    """Kind and shape of a model's latent, without the batch dimension."""

    kind: LatentKind
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ModelSpec:
    """Capabilities of a model. Planners and losses check these, never the model's class."""

    latent: LatentSpec
    actions: int
    heads: frozenset[str]
    """Outputs of `predict` and `step` by name: policy, value, reward, termination, legal, ..."""
    agents: int = 1
    chance: int = 0
    """Number of outcomes of the model's chance nodes; 0 if every node is a decision node."""
    memory: bool = False
    """Whether the model is recurrent: `observe` carries a latent from step to step."""
    needs_state: bool = False
    """Whether `represent` needs the environment's state, because the model contains a simulator."""


@dataclass(frozen=True)
class Edge:
    """Predictions for the transition from one latent to the next."""

    reward: Tensor  # [B]
    discount: Tensor  # [B] +gamma or -gamma; 0 only if the model knows that the episode ended
    termination: Tensor | None = None  # [B] predicted probability that the episode ends here
    raw: Mapping[str, Tensor] = field(default_factory=dict)  # network outputs for the losses

    def continuation_discount(self, use_termination: bool) -> Tensor:
        """Return the factor [B] of the next latent's value in the return.

        Args:
            use_termination: multiply the discount by the predicted probability of continuing.
        """
        if use_termination and self.termination is not None:
            return self.discount * (1 - self.termination)
        return self.discount


@dataclass(frozen=True)
class Heads:
    """Predictions at a latent."""

    policy: Tensor  # [B, A] logits ([B, n, A], or [B, information states, A])
    value: Tensor  # [B] for the player to move ([B, M] for a vector of predictions)
    legal: Tensor | None = None  # [B, A] bool
    chance: Tensor | None = None  # [B, M] outcome probabilities
    at_chance: Tensor | None = None  # [B] bool, whether this is a chance node
    raw: Mapping[str, Tensor] = field(default_factory=dict)  # network outputs for the losses


@dataclass(frozen=True)
class Plan:
    """A planner's result at a batch of roots."""

    policy: Tensor  # [B, A] ([B, n, A], or [B, information states, A])
    value: Tensor  # [B] for the player to move
    q: Tensor  # [B, A]
    visits: Tensor  # [B, A]
    depth: Tensor  # [B] depth of the deepest node of the search
    action: Tensor | None = None  # [B] the planner's own choice, if it makes one
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    def best_action(self) -> Tensor:
        """Return the planner's own choice, or else the most probable action, as [B] int64.

        Ties in the policy are broken by `q`, then by index.
        """
        if self.action is not None:
            return self.action
        below = self.policy < self.policy.amax(-1, keepdim=True)
        return self.q.masked_fill(below, -inf).argmax(-1)


@dataclass(frozen=True)
class Target:
    """Target of a prediction at unroll steps 0..K."""

    value: Tensor  # [B, K+1, ...]
    mask: Tensor  # [B, K+1] float, 0 at steps without a target


@dataclass(frozen=True)
class Unroll:
    """A model's predictions along a sequence of real actions."""

    latents: tuple[Latent, ...]  # K+1, each [B, ...]
    heads: Heads  # of all latents: [B, K+1, ...]
    edges: Edge | None  # [B, K, ...], edge k leads to latent k+1; None if K is 0


T = TypeVar("T")


def tree_map(function: Callable[..., Any], first: T, *others: Any) -> T:
    """Apply `function` to the corresponding tensors of one or more records of equal structure."""
    if is_dataclass(first) and not isinstance(first, type):
        changed = {
            f.name: tree_map(
                function, getattr(first, f.name), *(getattr(o, f.name) for o in others)
            )
            for f in fields(first)
        }
        return cast(T, replace(first, **changed))
    if isinstance(first, Mapping):
        return cast(
            T, {k: tree_map(function, v, *(o[k] for o in others)) for k, v in first.items()}
        )
    if isinstance(first, tuple):
        items = zip(first, *others, strict=True)
        return cast(T, tuple(tree_map(function, *item) for item in items))
    if first is None:
        return first
    return cast(T, function(first, *others))


def tree_leaves(record: Any) -> list[Tensor]:
    """Return the tensors of a record in order, without its None fields."""
    tensors: list[Tensor] = []
    tree_map(tensors.append, record)
    return tensors


def tree_unflatten(like: T, tensors: list[Tensor]) -> T:
    """Return a record with the structure of `like` whose `tree_leaves` are `tensors`."""
    remaining = iter(tensors)
    return tree_map(lambda _: next(remaining), like)


def gather(record: T, index: Tensor) -> T:
    """Return rows `index` of every tensor of a record."""
    return tree_map(lambda tensor: tensor[index], record)


def where(mask: Tensor, new: T, old: T) -> T:
    """Select rows of two records: of `new` where `mask` [B] is true, else of `old`."""

    def pick(a: Tensor, b: Tensor) -> Tensor:
        return a.where(mask.reshape(-1, *([1] * (a.dim() - 1))), b)

    return tree_map(pick, new, old)


def max_value(q: Tensor) -> Tensor:
    """Return the maximum over actions of `q` [..., A]; 0 if no action is legal (all -inf)."""
    best = q.amax(-1)
    return best.where(best.isfinite(), 0.0)


@dataclass(frozen=True)
class Window:
    """A training segment: L+1 consecutive steps of an episode from a start t.

    Past the end of the episode the final state repeats. Its row has reward 0 and discount 0. Its
    value is 0 after a termination and the bootstrap value after a truncation.
    """

    observation: Tensor  # [B, K+1, *observation]
    action: Tensor  # [B, K, ...], uniformly random past the end
    legal: Tensor  # [B, K+1, ..., A]
    policy: Tensor  # [B, K+1, ..., A] of the search
    reward: Tensor  # [B, L+1] of the action at t+k
    discount: Tensor  # [B, L+1] after the action at t+k
    value: Tensor  # [B, L+1] of the search
    return_to_go: Tensor  # [B, L+1] discounted return to the end of the episode
    steps_to_end: Tensor  # [B] number of steps from t to the end of the episode
    valid: Tensor  # [B, K+1] float, 1 before the end of the episode
    valid_or_absorbing: Tensor  # [B, K+1] float, as `valid`, but 1 after a termination too
    state: State | None = None  # [B, K+1, ...] of the environment, if the model needs it

    @property
    def unroll(self) -> int:
        """Unroll length K."""
        return int(self.action.shape[1])


class SolvedEnvironment(Environment, Protocol):
    """A deterministic environment with the exact value of every action."""

    def q(self, state: State) -> Tensor:
        """Return the optimal action values [B, A] for the player to move; -inf if illegal."""
        ...

    def value(self, state: State) -> Tensor:
        """Return the optimal state values [B]: the maximum of `q`, or 0 at a terminal state."""
        ...


@runtime_checkable
class ScoredEnvironment(SolvedEnvironment, Protocol):
    """A solved game whose solver's scores also encode the distance to the end of the game."""

    def scores(self, state: State) -> Tensor:
        """Return the solver's scores [B, A] for the player to move; 0 if illegal."""
        ...

    def q_from_scores(self, state: State, score: Tensor) -> Tensor:
        """Return `q` [B, A], computed from known scores [B, A] of the same states."""
        ...


class ListedEnvironment(SolvedEnvironment, Protocol):
    """A solved game whose states are integers, few enough to be listed."""

    def positions(self) -> Tensor:
        """Return all reachable non-terminal states, [P] int64 in ascending order."""
        ...
