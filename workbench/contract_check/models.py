"""Checks of the parts of a model: representation, dynamics, prediction and decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import torch
from torch import Generator, Tensor

from workbench.components import ComponentConfig, Incompatible
from workbench.contract_check.check import Check, ContractViolation, require
from workbench.contract_check.variants import label, variants
from workbench.models.systems.composed import Composed
from workbench.models.world_model import WorldModel
from workbench.registry import component, components
from workbench.types import Environment, State, gather, tree_leaves, tree_map

BATCH, UNROLL = 12, 3

ENVIRONMENTS = ("tic_tac_toe", "four_rooms", "cartpole")
"""A two-player board, a grid with one player, and a vector of numbers."""

PARTS = ("representation", "dynamics", "prediction", "decoder")

LATENT_KINDS: dict[str, dict[str, Any]] = {
    "mlp": {},
    "cnn": {"latent_kind": "grid"},
    "gcn": {"latent_kind": "nodes"},
}
"""Options of representations that end in a vector, in a grid and in nodes."""

FIRST = {"dynamics": ("mlp", "conv", "gcn"), "prediction": ("mlp",)}
"""Partners that are tried before the others, because they are cheap."""


@dataclass(frozen=True)
class Parts:
    """The configurations of the parts of a model."""

    representation: Any
    dynamics: Any
    prediction: Any
    decoder: Any = None

    @property
    def members(self) -> list[Any]:
        """The configurations without an absent decoder."""
        parts = (self.representation, self.dynamics, self.prediction, self.decoder)
        return [part for part in parts if part is not None]

    def __str__(self) -> str:
        return " + ".join(map(label, self.members))

    def model(self, norm: str = "min_max") -> Composed:
        """Return the configuration of the model."""
        return Composed(
            representation=self.representation,
            dynamics=self.dynamics,
            prediction=self.prediction,
            decoder=self.decoder,
            latent_norm=norm,  # type: ignore[arg-type]
        )


class ModelCase:
    """A model in an environment, with states and actions to run it on."""

    def __init__(self, parts: Parts, environment: Environment) -> None:
        self.parts, self.environment = parts, environment
        self.config = parts.model()
        self.spec = self.config.spec(environment.spec)
        self.model = self.build()
        self.state, self.actions = _play(environment)

    def __str__(self) -> str:
        return f"{self.parts} on {self.environment.spec.name}"

    def build(self, norm: str = "min_max") -> WorldModel:
        """Build another model of the same parts."""
        return self.parts.model(norm).build(self.environment, 1.0, seed=1)

    def root(self, rows: slice = slice(None), model: WorldModel | None = None) -> Any:
        """Return the latents of the states."""
        state = tree_map(lambda tensor: tensor[rows], self.state)
        observation = self.environment.observe(state)
        return (model or self.model).represent(observation, Generator(), state)

    def learned_latent(self, latent: Any) -> Tensor:
        """Return the learned part of a latent."""
        return [t for t in tree_leaves(latent) if t.is_floating_point()][-1]

    def outputs(self, rows: slice = slice(None)) -> list[Tensor]:
        """Return all outputs of the model along the actions, step by step."""
        latent, tensors = self.root(rows), []
        for k in range(UNROLL):
            tensors += self._at(latent)
            latent, edge = self.model.step(latent, self.actions[rows, k], Generator())
            tensors += tree_leaves(edge)
        return [*tensors, *self._at(latent)]

    def _at(self, latent: Any) -> list[Tensor]:
        decoded = [self.model.decode(latent)] if self.parts.decoder is not None else []
        return [self.learned_latent(latent), *tree_leaves(self.model.predict(latent)), *decoded]


@cache
def _environment(name: str) -> Environment:
    config: Any = component("environment", name)
    built: Environment = config().build()
    return built


def _play(environment: Environment) -> tuple[State, Tensor]:
    """Return states after zero to three random steps, and [B, K] actions from there."""
    g = Generator().manual_seed(2)
    state, over = environment.reset(BATCH, g), torch.zeros(BATCH, dtype=torch.bool)
    states, actions = [state], []
    for _ in range(3):
        state, over, _ = _random_step(environment, state, over, g)
        states.append(state)
    rows = torch.arange(BATCH)
    state = tree_map(lambda *tensors: torch.stack(tensors)[rows % len(states), rows], *states)
    over = ~environment.legal(state).any(-1)
    state = gather(state, torch.where(over, 0, rows))  # no terminal state; row 0 is an initial one
    first, over = state, torch.zeros(BATCH, dtype=torch.bool)
    for _ in range(UNROLL):
        state, over, action = _random_step(environment, state, over, g)
        actions.append(action)
    return first, torch.stack(actions, 1)


def _random_step(
    environment: Environment, state: State, over: Tensor, g: Generator
) -> tuple[State, Tensor, Tensor]:
    legal = environment.legal(state).float() + over[:, None]
    action = torch.multinomial(legal, 1, generator=g).squeeze(1)
    state, transition = environment.step(state, action, g)
    return state, over | transition.terminated | transition.truncated, action


def part_checks(cls: type[ComponentConfig]) -> Iterator[Check]:
    """Yield the checks of a part, in a model for each of its variants and kinds of latent."""
    cases: list[ModelCase] = []

    def each(run: Callable[[ModelCase], None]) -> Callable[[], None]:
        return lambda: _in_each(cases, run)

    yield Check("a model can use it", lambda: cases.extend(_cases(cls)), needed=True)
    yield Check("incompatible parts are refused with both names", lambda: _refusals(cls))
    yield Check("latents have the declared shape, finite and normalised", each(_latents))
    yield Check("heads and edges match the specification", each(_heads))
    yield Check("the gradient reaches every trainable parameter", each(_gradients))
    yield Check("a batch gives the same as its rows one by one", each(_rows))
    yield Check("inference changes neither outputs nor weights", each(_inference))
    yield Check("equal seeds give equal weights", each(_seeds))
    yield Check("`layer_norm` gives latents mean 0 and variance 1", each(_layer_norm))


def _in_each(cases: Iterable[ModelCase], run: Callable[[ModelCase], None]) -> None:
    for case in cases:
        try:
            run(case)
        except ContractViolation as error:
            raise ContractViolation(f"{error} ({case})") from None


def _cases(cls: type[ComponentConfig]) -> Iterator[ModelCase]:
    """Yield a model for each variant and each kind of latent that it supports.

    All are in the first environment that any variant supports.

    Raises:
        ContractViolation: no combination is compatible; the message has the reasons.
    """
    reasons: dict[str, None] = {}
    for name in ENVIRONMENTS:
        environment, seen = _environment(name), set()
        for parts in _combinations(cls):
            tested = next(part for part in parts.members if part.kind == cls.kind)
            try:
                latent = parts.model().spec(environment.spec).latent.kind
            except Incompatible as error:
                reasons[str(error)] = None
                continue
            # Partners matter only through the kind of latent.
            if (label(tested), latent) not in seen:
                seen.add((label(tested), latent))
                yield ModelCase(parts, environment)
        if seen:
            return
    raise ContractViolation(f"no model of the check is compatible with it: {'; '.join(reasons)}")


def _combinations(cls: type[ComponentConfig]) -> Iterator[Parts]:
    """Yield every variant with all its partners, compatible or not."""
    pools: dict[str, list[Any]] = {kind: _partners(kind) for kind in PARTS}
    pools[cls.kind] = variants(cls)
    if cls.kind != "decoder":
        pools["decoder"] = [None]
    for combination in product(pools["dynamics"], pools["prediction"], pools["decoder"]):
        for representation in pools["representation"]:
            yield Parts(representation, *combination)


def _partners(kind: str) -> list[Any]:
    """Return default components of the workbench, one for each kind of latent first."""
    if kind == "decoder":
        return [None]
    if kind == "representation":
        named = components(kind)
        cheap = [named[name].model_validate(options) for name, options in LATENT_KINDS.items()]
        return [*cheap, *_defaults(kind, tuple(LATENT_KINDS))]
    first = FIRST[kind]
    return [*(components(kind)[name]() for name in first), *_defaults(kind, first)]


def _defaults(kind: str, without: tuple[str, ...]) -> list[Any]:
    return [cls() for name, cls in components(kind).items() if name not in without]


def _refusals(cls: type[ComponentConfig]) -> None:
    environment = _environment(ENVIRONMENTS[0]).spec
    for parts in _combinations(cls):
        try:
            parts.model().spec(environment)
        except Incompatible as error:
            named = [p for p in parts.members if f"{p.kind} '{p.component}'" in str(error)]
            both = len(named) == 2 or f"environment '{environment.name}'" in str(error)
            require(both, f"the message does not name both: {error} ({parts})")


def _latents(case: ModelCase) -> None:
    latent = case.root()
    for k in range(UNROLL + 1):
        learned = case.learned_latent(latent)
        shape = [BATCH, *case.spec.latent.shape]
        require(
            list(learned.shape) == shape, f"a latent has shape {list(learned.shape)}, not {shape}"
        )
        flat = learned.flatten(1)
        require(flat.isfinite().all(), f"the latent after {k} steps is not finite")
        low, high = flat.amin(1), flat.amax(1)
        scaled = torch.allclose(low, torch.zeros(BATCH), atol=1e-6)
        scaled = scaled and torch.allclose(high, torch.ones(BATCH), atol=1e-6)
        require(scaled, f"the latent after {k} steps does not reach from 0 to 1, or is constant")
        if k < UNROLL:
            latent, _ = case.model.step(latent, case.actions[:, k], Generator())


def _layer_norm(case: ModelCase) -> None:
    model = case.build("layer_norm")
    root = case.root(model=model)
    after, _ = model.step(root, case.actions[:, 0], Generator())
    for learned in map(case.learned_latent, (root, after)):
        flat = learned.flatten(1)
        flat = flat.detach()
        mean, variance = flat.mean(1), flat.var(1, correction=0)
        normal = torch.allclose(mean, torch.zeros(BATCH), atol=1e-4)
        normal = normal and torch.allclose(variance, torch.ones(BATCH), atol=2e-2)
        require(normal, f"mean {float(mean[0]):.3f}, variance {float(variance[0]):.3f}")


def _heads(case: ModelCase) -> None:
    spec, model, environment = case.spec, case.model, case.environment.spec
    require(model.spec == spec, f"the model has {model.spec}, its configuration states {spec}")
    root = case.root()
    heads = model.predict(root)
    _, edge = model.step(root, case.actions[:, 0], Generator())
    shapes = {
        "policy": (heads.policy, [BATCH, environment.actions]),
        "value": (heads.value, [BATCH]),
        "reward": (edge.reward, [BATCH]),
        "discount": (edge.discount, [BATCH]),
    }
    for name, (tensor, shape) in shapes.items():
        found = list(tensor.shape)
        require(found == shape, f"`{name}` has shape {found}, not {shape}")
    for name, output in (("legal", heads.legal), ("termination", edge.termination)):
        stated = "stated" if name in spec.heads else "not stated"
        agrees = (output is not None) == (name in spec.heads)
        require(agrees, f"head `{name}` is {stated} in the specification, and the model differs")
    # The other player acts next, or the game ends.
    sign = edge.discount <= 0 if environment.alternating else edge.discount >= 0
    require(sign.all(), "a discount has the wrong sign")
    if edge.termination is not None:
        probability = (edge.termination >= 0) & (edge.termination <= 1)
        require(probability.all(), "`termination` is no probability")
    lacking = sorted(spec.heads & {"value", "reward"} - set(model.value_encodings))
    require(not lacking, f"no encoding for {', '.join(lacking)}")
    if case.parts.decoder is not None:
        found = list(model.decode(root).shape)
        require(found == [BATCH, *environment.observation], f"an observation has shape {found}")


def _gradients(case: ModelCase) -> None:
    model = case.model
    model.zero_grad()
    unroll = model.unroll(case.root(), case.actions, Generator(), 0.5)
    g = Generator().manual_seed(3)
    raw = [unroll.heads.policy, *unroll.heads.raw.values()]
    raw += [*unroll.edges.raw.values()] if unroll.edges is not None else []
    if case.parts.decoder is not None:
        raw.append(model.decode(case.root()))
    total: Any = sum((t * torch.randn(t.shape, generator=g)).sum() for t in raw)
    total.backward()
    for part, module in model.parts().items():
        declared = getattr(getattr(case.config, part), "trainable", True)
        parameters = list(module.named_parameters())
        require(parameters or not declared, f"{part} has no parameter, and `trainable` is true")
        for weight, parameter in parameters:
            reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
            name = f"parameter {part}.{weight}"
            require(
                parameter.requires_grad == declared,
                f"{name}: `requires_grad` is {parameter.requires_grad}, `trainable` {declared}",
            )
            require(reached == declared, f"{name} gets {'a' if reached else 'no'} gradient")
    counted = sum(p.numel() for m in model.parts().values() for p in m.parameters())
    total_count = sum(p.numel() for p in model.parameters())
    require(counted == total_count, f"{total_count - counted} parameters belong to no part")
    model.zero_grad()


def _rows(case: ModelCase) -> None:
    parts = case.parts
    if not (parts.representation.row_independent and parts.dynamics.row_independent):
        return
    with torch.no_grad():
        together = case.outputs()
        for b in (0, 5, BATCH - 1):
            alone = case.outputs(slice(b, b + 1))
            for whole, single in zip(together, alone, strict=True):
                difference = float((whole[b : b + 1].float() - single.float()).abs().max())
                same = torch.allclose(whole[b : b + 1].float(), single.float(), atol=2e-5)
                require(same, f"row {b} alone differs by {difference:.2g}")


def _inference(case: ModelCase) -> None:
    before = {k: v.clone() for k, v in case.model.state_dict().items()}
    plain = case.outputs()
    case.model.eval()
    with torch.inference_mode():
        inferred = case.outputs()
    case.model.train()
    same = all(torch.equal(a, b) for a, b in zip(plain, inferred, strict=True))
    require(same, "outputs in evaluation mode differ from those in training mode")
    changed = [k for k, v in case.model.state_dict().items() if not torch.equal(before[k], v)]
    require(not changed, f"running it changed {', '.join(changed[:3])}")


def _seeds(case: ModelCase) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)  # the global stream must not matter
        again = case.build().state_dict()
    for key, value in case.model.state_dict().items():
        require(torch.equal(again[key], value), f"{key} differs between two models of one seed")
