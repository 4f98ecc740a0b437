"""The vocabulary: frozen records that environments, models, planners and losses exchange.

Shapes stand in the field comments. B is the batch, A the number of actions, K the unroll length.
The module is light on purpose: torch is imported for the annotations only.
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
"""A tensor or a frozen record of tensors, batch first. Planners store and gather it unseen."""

State: TypeAlias = Any
"""A tensor or a frozen record of tensors, batch first: where a batch of worlds stands."""


@dataclass(frozen=True)
class Graph:
    """A graph over the cells of a board; `edges` holds both directions of every pair."""

    nodes: int
    edges: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Symmetry:
    """A way to turn or mirror a board that leaves the rules as they are."""

    cells: tuple[int, ...]
    """The turned board shows at cell i what the board had at `cells[i]`."""
    actions: tuple[int, ...]
    """Action a of the board is action `actions[a]` of the turned one."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """What an environment is, known without building it."""

    name: str
    """Of the component that makes it; with `:member` where that makes many."""
    observation: tuple[int, ...]
    """Shape of one observation of one agent: (C, H, W) or (D,)."""
    actions: int
    agents: int = 1
    """With n > 1, observation, action and legal mask are [B, n, ...]; the reward is the team's."""
    alternating: bool = False
    """Two players move in turn and what one wins the other loses."""
    horizon: int | None = None
    """The most moves that an episode can have, where that is known."""
    bounds: tuple[float, float] | None = None
    """Bounds of any state's value, where they are known."""
    chance: int = 0
    """Number of outcomes where nature moves; 0 for a deterministic world."""
    graphs: Mapping[str, Graph] = field(default_factory=dict)
    """Named graphs over the H*W cells, node i being cell i in row-major order."""
    marks: tuple[tuple[tuple[int, int], ...], ...] = ()
    """By action, the (plane, cell) pairs that show it on the board; empty where none can."""
    symmetries: tuple[Symmetry, ...] = ()
    """Every symmetry of the board, the identity among them; empty where none is known."""
    shows_past: bool = False
    """Whether an observation tells of earlier ones: two orders of moves never end alike."""
    oracle: bool = False
    """Whether the exact value of every action in every state is available (`q`)."""
    enumerable: bool = False
    """Whether there is an oracle and every position can be listed (`positions`)."""
    copyable: bool = True
    """Whether states can be gathered by index, so that a search can plan in the true world.

    Where they cannot, the environment is a `LiveEnvironment`.
    """


@dataclass(frozen=True)
class Transition:
    """What one step of a batch of environments gives."""

    reward: Tensor  # [B] to the player who moved
    discount: Tensor  # [B] 0 at a terminal, else +gamma, or -gamma where the other player is next
    terminated: Tensor  # [B] bool
    truncated: Tensor  # [B] bool, a cut by time: never a termination


class Environment(Protocol):
    """A batch of worlds as pure functions over a state.

        state = environment.reset(256, generator)
        state, transition = environment.step(state, action, generator)

    Stepping a terminal state leaves it where it is, with reward 0 and discount 0.
    """

    spec: EnvironmentSpec

    def reset(self, batch: int, generator: Generator) -> State: ...

    def step(
        self, state: State, action: Tensor, generator: Generator
    ) -> tuple[State, Transition]: ...

    def observe(self, state: State) -> Tensor:
        """[B, *observation], or [B, n, *observation] for n agents; mover-relative.

        As small as it can be stored: bool for planes of 0 and 1, uint8 for shades (255 is one),
        else float32. Models read it through `models.layers.as_input`.
        """
        ...

    def legal(self, state: State) -> Tensor:
        """[B, A] bool, or [B, n, A]."""
        ...

    def chance(self, state: State) -> Tensor | None:
        """[B, outcomes] where nature moves next, rows of 0 elsewhere; None if it never does."""
        ...


class LiveEnvironment(Environment, Protocol):
    """Worlds that only go forward: of each only its latest state can be stepped.

    A state may still be observed after its world has gone on, and rows of states be put together.
    """

    def save(self, state: State) -> State:
        """All that `restore` needs to bring the worlds of `state` back, as a record of tensors."""
        ...

    def restore(self, saved: State) -> State:
        """The state that was saved, with worlds that go on as the saved ones would have."""
        ...


@dataclass(frozen=True)
class LatentSpec:
    """Kind and shape (without the batch) of a model's latent."""

    kind: LatentKind
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ModelSpec:
    """What a model offers; planners and losses ask it, never the class."""

    latent: LatentSpec
    actions: int
    heads: frozenset[str]
    """Names of what `predict` and `step` give: policy, value, reward, termination, legal, ..."""
    agents: int = 1
    chance: int = 0
    """Width of the model's chance nodes; 0 where every node is a decision."""
    memory: bool = False
    """Whether a latent is carried from step to step by `observe`."""
    needs_state: bool = False
    """Whether `represent` must be given the environment's state (a simulator inside)."""


@dataclass(frozen=True)
class Edge:
    """What lies on the way from one latent to the next."""

    reward: Tensor  # [B]
    discount: Tensor  # [B] +gamma or -gamma; 0 only where the model knows the end for certain
    termination: Tensor | None = None  # [B] predicted probability that the episode ends here
    raw: Mapping[str, Tensor] = field(default_factory=dict)  # what the losses read

    def onward(self, cut: bool) -> Tensor:
        """[B] what the value beyond counts; with `cut`, less where an end is predicted."""
        if cut and self.termination is not None:
            return self.discount * (1 - self.termination)
        return self.discount


@dataclass(frozen=True)
class Heads:
    """What is predicted at a latent."""

    policy: Tensor  # [B, A] logits ([B, n, A], or [B, information states, A])
    value: Tensor  # [B] to the player to move ([B, M] for a vector of predictions)
    legal: Tensor | None = None  # [B, A] bool
    chance: Tensor | None = None  # [B, M] probabilities of the outcomes
    at_chance: Tensor | None = None  # [B] bool, nature moves at this node
    raw: Mapping[str, Tensor] = field(default_factory=dict)  # what the losses read


@dataclass(frozen=True)
class Plan:
    """What a planner recommends at a batch of roots."""

    policy: Tensor  # [B, A] ([B, n, A], or [B, information states, A])
    value: Tensor  # [B] to the player to move
    q: Tensor  # [B, A]
    visits: Tensor  # [B, A]
    depth: Tensor  # [B] deepest node of the search
    action: Tensor | None = None  # [B] what the planner itself chose, where it does
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    def best(self) -> Tensor:
        """The planner's own choice; else the largest policy, ties broken by q, then by index."""
        if self.action is not None:
            return self.action
        below = self.policy < self.policy.amax(-1, keepdim=True)
        return self.q.masked_fill(below, -inf).argmax(-1)


@dataclass(frozen=True)
class Target:
    """What a prediction is compared with at unroll steps 0..K."""

    value: Tensor  # [B, K+1, ...]
    mask: Tensor  # [B, K+1] float, 0 where there is nothing to learn


@dataclass(frozen=True)
class Unroll:
    """A model's predictions along a sequence of real actions."""

    latents: tuple[Latent, ...]  # K+1, each [B, ...]
    heads: Heads  # of every latent: [B, K+1, ...]
    edges: Edge | None  # edge k leads to latent k+1: [B, K, ...]; None where K is 0


T = TypeVar("T")


def map_tensors(function: Callable[..., Any], first: T, *others: Any) -> T:
    """Apply `function` to the tensors at the same place of one or more records of one structure."""
    if is_dataclass(first) and not isinstance(first, type):
        changed = {
            f.name: map_tensors(
                function, getattr(first, f.name), *(getattr(o, f.name) for o in others)
            )
            for f in fields(first)
        }
        return cast(T, replace(first, **changed))
    if isinstance(first, Mapping):
        return cast(
            T, {k: map_tensors(function, v, *(o[k] for o in others)) for k, v in first.items()}
        )
    if isinstance(first, tuple):
        items = zip(first, *others, strict=True)
        return cast(T, tuple(map_tensors(function, *item) for item in items))
    if first is None:
        return first
    return cast(T, function(first, *others))


def leaves(record: Any) -> list[Tensor]:
    """The tensors of a record in order; none of None."""
    found: list[Tensor] = []
    map_tensors(found.append, record)
    return found


def rebuild(like: T, tensors: list[Tensor]) -> T:
    """The record of the form of `like` whose `leaves` are `tensors`."""
    rest = iter(tensors)
    return map_tensors(lambda _: next(rest), like)


def gather(record: T, index: Tensor) -> T:
    """Rows `index` of every tensor of a record."""
    return map_tensors(lambda tensor: tensor[index], record)


def choose(mask: Tensor, new: T, old: T) -> T:
    """Row by row, `new` where `mask` [B] holds and `old` elsewhere."""

    def pick(a: Tensor, b: Tensor) -> Tensor:
        return a.where(mask.reshape(-1, *([1] * (a.dim() - 1))), b)

    return map_tensors(pick, new, old)


def greatest(q: Tensor) -> Tensor:
    """[...] the worth of states whose moves are worth `q` [..., A]: 0 where none is legal."""
    best = q.amax(-1)
    return best.where(best.isfinite(), 0.0)


@dataclass(frozen=True)
class Window:
    """Consecutive steps of an episode, L+1 of them from a start t; the last state repeats past it.

    The final state's row has reward 0, discount 0 and, as its value, 0 or after a truncation the
    bootstrap.
    """

    observation: Tensor  # [B, K+1, *observation]
    action: Tensor  # [B, K, ...], uniformly random past the end
    legal: Tensor  # [B, K+1, ..., A]
    policy: Tensor  # [B, K+1, ..., A] the search's
    reward: Tensor  # [B, L+1] of the action at t+k
    discount: Tensor  # [B, L+1] after the action at t+k
    value: Tensor  # [B, L+1] the search's
    outcome: Tensor  # [B, L+1] discounted return to the end of the episode
    remaining: Tensor  # [B] moves from t to the end of the episode
    inside: Tensor  # [B, K+1] float, 1 before the end of the episode
    lasting: Tensor  # [B, K+1] float, 1 before the end, and past it where it has terminated
    state: State | None = None  # [B, K+1, ...] of the environment, where the model needs it

    @property
    def unroll(self) -> int:
        """K"""
        return int(self.action.shape[1])


class SolvedEnvironment(Environment, Protocol):
    """A deterministic game with the exact worth of every move."""

    def q(self, state: State) -> Tensor:
        """[B, A] worth of every move to the mover under perfect play, -inf where illegal."""
        ...

    def value(self, state: State) -> Tensor:
        """[B] worth of the state to the mover: the greatest of `q`, 0 where no move is left."""
        ...


@runtime_checkable
class ScoredEnvironment(SolvedEnvironment, Protocol):
    """A solved game whose solver also says how far the end of the game is."""

    def scores(self, state: State) -> Tensor:
        """[B, A] the solver's score of every move to the mover, 0 where it is illegal."""
        ...

    def worth(self, state: State, score: Tensor) -> Tensor:
        """`q` by scores that are known already."""
        ...


class ListedEnvironment(SolvedEnvironment, Protocol):
    """A solved game whose states are numbers, few enough to be listed."""

    def positions(self) -> Tensor:
        """[P] int64, every non-terminal reachable state, ascending."""
        ...
