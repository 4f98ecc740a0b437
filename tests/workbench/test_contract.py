"""Contract tests for every registered component; new components are covered automatically.

Each component that a tic-tac-toe trial can use is built and run, and its declarations are checked.
Incompatible components must be rejected with a message that names both.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.fakes import TINY, trial
from workbench import metrics
from workbench.components import (
    ComponentConfig,
    ComponentField,
    Config,
    DynamicsConfig,
    Incompatible,
    ModelConfig,
    PredictionConfig,
    RepresentationConfig,
)
from workbench.contracts import Context, TrialParts
from workbench.environments.games.game_table import GameTableEnvironment
from workbench.models.representation.cnn import CNN
from workbench.models.representation.gcn import GCN
from workbench.models.representation.mlp import MLP
from workbench.models.systems.composed import Composed
from workbench.models.world_model import WorldModel
from workbench.registry import FOLDERS, components
from workbench.training.actor import Actor
from workbench.training.replay_buffer import ReplayBuffer
from workbench.training.settings import RandomStartConfig, TemperatureConfig
from workbench.trial import build
from workbench.types import Target, Window, tree_leaves

BATCH, UNROLL = 12, 3
ALL = [(kind, name) for kind in FOLDERS for name in components(kind)]


def component_names(kind: str) -> list[str]:
    return list(components(kind))


def variants(kind: str) -> list[Any]:
    """Return each component of a kind with its defaults, and with each choice of each option."""
    found: list[Any] = []
    for cls in components(kind).values():
        found.append(cls())
        for name, field in cls.model_fields.items():
            choices: tuple[Any, ...] = get_args(field.annotation)
            if field.annotation is bool:
                choices = (True, False)
            elif get_origin(field.annotation) is not Literal:
                continue
            found += [cls.model_validate({name: c}) for c in choices if c != field.default]
    return found


def label(config: ComponentConfig) -> str:
    changed = {
        k: v for k, v in config.model_dump().items() if v != type(config).model_fields[k].default
    }
    simple = [f"{k}={v}" for k, v in changed.items() if isinstance(v, str | bool)]
    return "-".join([config.component, *simple])


def nested(cls: type[Config]) -> Iterator[type[Config]]:
    yield cls
    for field in cls.model_fields.values():
        inner = field.annotation
        is_record = isinstance(inner, type) and issubclass(inner, Config)
        if is_record and not issubclass(inner, ComponentConfig):
            yield from nested(inner)


# --- declarations --------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_component_and_its_options_are_described(kind: str, name: str) -> None:
    cls = components(kind)[name]
    assert (cls.kind, cls.component) == (kind, name)
    assert "__doc__" in vars(cls)
    first = (cls.__doc__ or "").strip().splitlines()[0]
    assert len(first) > 15
    assert first.endswith(".")
    for part in nested(cls):
        for option, field in part.model_fields.items():
            if not any(isinstance(m, ComponentField) for m in field.metadata):
                assert field.description, f"{part.__name__}.{option}"


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_every_option_except_component_fields_has_a_default(kind: str, name: str) -> None:
    cls = components(kind)[name]
    for option, field in cls.model_fields.items():
        is_component = any(isinstance(m, ComponentField) for m in field.metadata)
        assert is_component or not field.is_required(), option
    if not any(field.is_required() for field in cls.model_fields.values()):
        assert isinstance(cls(), ComponentConfig)


def test_reading_configurations_imports_nothing_heavy() -> None:
    code = """
import json, sys
from workbench import documents, registry
from workbench.config import presets, preset, read_trial
names = [name for kind in registry.FOLDERS for name in registry.components(kind)]
for name in presets():
    read_trial(preset(name))
import workbench.metrics, workbench.record, workbench.types, workbench.contracts
print(json.dumps([len(names), sorted(sys.modules)]))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, modules = json.loads(ran.stdout)
    assert count >= len(ALL)
    heavy = {"torch", "numba", "pyspiel", "networkx", "torch_geometric", "ray", "mlflow", "pandas"}
    assert not heavy & set(modules)


# --- models --------------------------------------------------------------------------------------


class ModelCase:
    """A model of one representation, dynamics and prediction, with positions to run it on."""

    def __init__(
        self,
        parts: tuple[RepresentationConfig, DynamicsConfig, PredictionConfig],
        norm: str,
        environment: GameTableEnvironment,
    ) -> None:
        representation, dynamics, prediction = parts
        self.config = Composed(
            representation=representation,
            dynamics=dynamics,
            prediction=prediction,
            latent_norm=norm,  # type: ignore[arg-type]
        )
        self.environment, self.representation, self.dynamics = environment, representation, dynamics
        self.spec = self.config.spec(environment.spec)
        self.model: WorldModel = self.config.build(environment, 1.0, seed=1)
        # Positions with at least three more actions before the end.
        g = Generator().manual_seed(2)
        early = [
            s for s in environment.positions().tolist() if environment.table.legal[s].sum() >= 6
        ]
        self.state = torch.tensor(early)[torch.randint(len(early), (BATCH,), generator=g)]
        actions, state, over = [], self.state, torch.zeros(BATCH, dtype=torch.bool)
        for _ in range(UNROLL):
            legal = environment.legal(state).float() + over[:, None]
            actions.append(torch.multinomial(legal, 1, generator=g).squeeze(1))
            state, transition = environment.step(state, actions[-1], g)
            over = transition.terminated
        self.actions = torch.stack(actions, 1)

    def root(self, rows: slice = slice(None)) -> Any:
        state = self.state[rows]
        return self.model.represent(self.environment.observe(state), Generator(), state)

    def learned_latent(self, latent: Any) -> Tensor:
        """Return the learned part of a latent."""
        return [t for t in tree_leaves(latent) if t.is_floating_point()][-1]

    def outputs(self, rows: slice = slice(None)) -> list[Tensor]:
        """Return all outputs of the model along the actions, step by step."""
        latent, tensors = self.root(rows), []
        for k in range(UNROLL):
            tensors += [self.learned_latent(latent), *tree_leaves(self.model.predict(latent))]
            latent, edge = self.model.step(latent, self.actions[rows, k], Generator())
            tensors += tree_leaves(edge)
        return [*tensors, *tree_leaves(self.model.predict(latent))]


Triple = tuple[RepresentationConfig, DynamicsConfig, PredictionConfig]


def partners(kind: str) -> list[Any]:
    """Return default components of a kind, as partners of the one under test.

    Representations cover each kind of latent once.
    """
    if kind == "representation":
        return [MLP(), CNN(latent_kind="grid"), GCN(latent_kind="nodes")]
    return [cls() for cls in components(kind).values()]


def triples() -> list[Triple]:
    """Return every variant of every part with all its partners, compatible or not."""
    kinds = ("representation", "dynamics", "prediction")
    found: dict[str, Triple] = {}
    for tested in kinds:
        for variant in variants(tested):
            pools = [[variant] if kind == tested else partners(kind) for kind in kinds]
            for triple in product(*pools):
                found[" + ".join(map(label, triple))] = triple
    return list(found.values())


TRIPLES = triples()
COMPATIBLE: dict[str, list[tuple[str, Triple]]] = {}


def model_cases(
    environment: GameTableEnvironment, norm: str = "min_max"
) -> Iterator[tuple[str, ModelCase]]:
    """Yield models in which each variant occurs once with each kind of latent that it supports."""
    if "triples" not in COMPATIBLE:
        COMPATIBLE["triples"] = list(_compatible_triples(environment))
    for name, triple in COMPATIBLE["triples"]:
        yield name, ModelCase(triple, norm, environment)


def _compatible_triples(environment: GameTableEnvironment) -> Iterator[tuple[str, Triple]]:
    seen: set[tuple[str, ...]] = set()
    for triple in TRIPLES:
        config = Composed(representation=triple[0], dynamics=triple[1], prediction=triple[2])
        try:
            latent = config.spec(environment.spec).latent.kind
        except Incompatible:
            continue
        # Partners matter only through the kind of latent, so each variant is used once per kind.
        new = {(part.kind, label(part), latent) for part in triple} - seen
        if new:
            seen |= new
            yield " + ".join(map(label, triple)), triple


def test_every_part_is_used_in_some_model(tic_tac_toe: GameTableEnvironment) -> None:
    used = set()
    for _, case in model_cases(tic_tac_toe):
        config = case.config
        used |= {(p.kind, p.component) for p in (config.representation, config.dynamics)}
        used.add(("prediction", config.prediction.component))
    kinds = ("representation", "dynamics", "prediction")
    assert used == {(kind, name) for kind in kinds for name in component_names(kind)}


def test_incompatible_parts_are_rejected_with_both_names(tic_tac_toe: GameTableEnvironment) -> None:
    messages: list[str] = []
    for triple in TRIPLES:
        config = Composed(representation=triple[0], dynamics=triple[1], prediction=triple[2])
        try:
            config.spec(tic_tac_toe.spec)
        except Incompatible as error:
            message = str(error)
            messages.append(message)
            named = [part for part in triple if f"{part.kind} '{part.component}'" in message]
            assert len(named) == 2, message
    assert messages


def test_latents_have_the_declared_shape_and_are_finite_and_scaled(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    for name, case in model_cases(tic_tac_toe):
        latent = case.root()
        for k in range(UNROLL + 1):
            learned = case.learned_latent(latent)
            assert learned.shape == (BATCH, *case.spec.latent.shape), name
            flat = learned.flatten(1)
            assert bool(flat.isfinite().all()), name
            assert torch.allclose(flat.amin(1), torch.zeros(BATCH), atol=1e-6), name
            assert torch.allclose(flat.amax(1), torch.ones(BATCH), atol=1e-6), name
            if k < UNROLL:
                latent, _ = case.model.step(latent, case.actions[:, k], Generator())


def test_layer_norm_gives_each_latent_mean_0_and_variance_1(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    for name, case in model_cases(tic_tac_toe, "layer_norm"):
        latent, _ = case.model.step(case.root(), case.actions[:, 0], Generator())
        for learned in map(case.learned_latent, (case.root(), latent)):
            flat = learned.flatten(1)
            assert torch.allclose(flat.mean(1), torch.zeros(BATCH), atol=1e-4), name
            assert torch.allclose(flat.var(1, correction=0), torch.ones(BATCH), atol=2e-2), name


def test_heads_and_edges_match_the_specification(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    for name, case in model_cases(tic_tac_toe):
        assert case.model.spec == case.spec
        heads = case.model.predict(case.root())
        _, edge = case.model.step(case.root(), case.actions[:, 0], Generator())
        assert heads.policy.shape == (BATCH, 9), name
        assert heads.value.shape == edge.reward.shape == edge.discount.shape == (BATCH,), name
        assert (heads.legal is not None) == ("legal" in case.spec.heads), name
        assert (edge.termination is not None) == ("termination" in case.spec.heads), name
        assert bool((edge.discount <= 0).all()), (
            name
        )  # the other player acts next, or the game ends
        if edge.termination is not None:
            assert bool(((edge.termination >= 0) & (edge.termination <= 1)).all()), name
        for head in case.spec.heads & {"value", "reward"}:
            assert head in case.model.value_encodings, name


def test_gradients_reach_every_trainable_parameter_and_no_frozen_one(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    for name, case in model_cases(tic_tac_toe):
        unroll = case.model.unroll(case.root(), case.actions, Generator(), 0.5)
        g = Generator().manual_seed(3)
        raw = [unroll.heads.policy, *unroll.heads.raw.values(), *unroll.edges.raw.values()]
        total = sum((t * torch.randn(t.shape, generator=g)).sum() for t in raw)
        assert isinstance(total, Tensor)
        total.backward()  # type: ignore[no-untyped-call]
        for part, module in case.model.parts().items():
            declared = getattr(getattr(case.config, part), "trainable", True)
            parameters = list(module.named_parameters())
            assert parameters or not declared, f"{name}: {part}"
            for weight, parameter in parameters:
                assert parameter.requires_grad == declared, f"{name}: {part}.{weight}"
                reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
                assert reached == declared, f"{name}: {part}.{weight}"
        n_parameters = sum(p.numel() for m in case.model.parts().values() for p in m.parameters())
        assert n_parameters == sum(p.numel() for p in case.model.parameters()), name


def test_batch_equals_its_rows_one_by_one(tic_tac_toe: GameTableEnvironment) -> None:
    for name, case in model_cases(tic_tac_toe):
        if not (case.representation.row_independent and case.dynamics.row_independent):
            continue
        with torch.no_grad():
            together = case.outputs()
            for b in (0, 5, BATCH - 1):
                alone = case.outputs(slice(b, b + 1))
                for whole, single in zip(together, alone, strict=True):
                    assert torch.allclose(whole[b : b + 1].float(), single.float(), atol=2e-5), name


def test_inference_mode_changes_neither_outputs_nor_weights(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    for name, case in model_cases(tic_tac_toe):
        before = {k: v.clone() for k, v in case.model.state_dict().items()}
        plain = case.outputs()
        case.model.eval()
        with torch.inference_mode():
            inferred = case.outputs()
        case.model.train()
        for a, b in zip(plain, inferred, strict=True):
            assert torch.equal(a, b), name
        assert all(torch.equal(before[k], v) for k, v in case.model.state_dict().items()), name


def test_equal_seeds_build_equal_weights(tic_tac_toe: GameTableEnvironment) -> None:
    for name, case in model_cases(tic_tac_toe):
        torch.manual_seed(99)  # the global stream must not matter
        again = case.config.build(tic_tac_toe, 1.0, seed=1).state_dict()
        for key, value in case.model.state_dict().items():
            assert torch.equal(again[key], value), f"{name}: {key}"


@pytest.mark.parametrize("name", component_names("model"))
def test_model_specification_is_known_without_building(
    name: str, tic_tac_toe: GameTableEnvironment
) -> None:
    config: Any = trial({"model.name": name}, base=PREFIX).model
    assert isinstance(config, ModelConfig)
    spec = config.spec(tic_tac_toe.spec)
    assert spec.actions == 9
    assert {"policy", "value"} <= spec.heads
    assert config.build(tic_tac_toe, 1.0, 0).spec == spec


# --- training ------------------------------------------------------------------------------------


PREFIX: dict[str, Any] = {
    "preset": "muzero",
    "environment": {"name": "cartpole", "max_steps": 12},
    "model": {
        "name": "value_prefix",
        "representation": {"name": "mlp", "width": 8, "latent_size": 8},
        "dynamics": {"name": "mlp", "width": 8},
        "prediction": {"name": "mlp", "width": 8},
        "decoder": {"name": "mlp", "width": 8},
    },
    "planner": {"name": "puct", "simulations": 4, "q_normalisation": "min_max"},
    "losses.reward": None,
    "procedure.random_start.fraction": 0.0,
    "measures": {"predictive": None, "decision": None},
}
"""A single-agent environment, and the model that supports no two-player game."""


CELLS: dict[str, Any] = {"preset": "muzero_hex", "planner.simulations": 2, "measures.matches": None}
"""A board game with a model whose parameters do not depend on the board size."""


def scene(base: dict[str, Any]) -> tuple[TrialParts, Window]:
    """Return a trial with all heads and all targets, and windows of its self-play.

    The windows are long enough for every target, and some extend past the end of the episode.
    """
    roles = {cls.role: name for name, cls in components("target").items() if cls.role}  # type: ignore[attr-defined]
    parts = build(trial({"targets": roles, "model.decoder": "mlp"}, base=base))
    actor = Actor(parts, 32, RandomStartConfig(), TemperatureConfig())
    replay = ReplayBuffer(2000, actor.layout)
    for _ in range(20):
        _, episodes = actor.step(parts.model)
        if episodes is not None:
            replay.add(episodes)
    lookahead = max(cls().lookahead for cls in components("target").values())  # type: ignore[attr-defined]
    return parts, replay.sample(BATCH, UNROLL, lookahead, Generator().manual_seed(1))


@pytest.fixture(scope="module")
def scenes() -> list[tuple[TrialParts, Window]]:
    """A two-player game and a single-agent environment: every component supports one of them."""
    return [scene(TINY), scene(PREFIX)]


@pytest.fixture(scope="module")
def parts(scenes: list[tuple[TrialParts, Window]]) -> TrialParts:
    return scenes[0][0]


@pytest.fixture(scope="module")
def window(scenes: list[tuple[TrialParts, Window]]) -> Window:
    return scenes[0][1]


@pytest.mark.parametrize("absorbing", [True, False])
@pytest.mark.parametrize("name", component_names("target"))
def test_target_has_value_and_mask_for_the_window(
    name: str, absorbing: bool, parts: TrialParts, window: Window
) -> None:
    config: Any = components("target")[name]()
    context = Context(
        absorbing, parts.model, parts.model, parts.planner, Generator().manual_seed(1)
    )
    target: Target = config.build()(window, context)
    assert target.mask.shape == (BATCH, UNROLL + 1)
    assert target.value.shape[:2] == (BATCH, UNROLL + 1)
    assert set(target.mask.unique().tolist()) <= {0.0, 1.0}
    assert bool(target.mask.any())
    assert bool(target.value.isfinite().all())
    assert not target.value.requires_grad
    assert not target.value.dtype.is_complex


@pytest.mark.parametrize("name", component_names("loss"))
def test_loss_is_finite_and_zero_where_masked(
    name: str, scenes: list[tuple[TrialParts, Window]]
) -> None:
    config: Any = components("loss")[name]()
    parts, window = next(s for s in scenes if config.requires <= s[0].model.spec.heads)
    assert config.targets <= set(parts.targets)
    context = Context(True, parts.model, parts.model, parts.planner, Generator().manual_seed(1))
    targets = {key: make(window, context) for key, make in parts.targets.items()}
    g = Generator()
    root = parts.model.represent(window.observation[:, 0], g)
    unroll = parts.model.unroll(root, window.action, g, 0.5)
    loss = config.build(parts.model)
    error = loss(unroll, targets, None)
    assert error.shape == (BATCH, UNROLL + 1)
    assert bool(error.isfinite().all())
    assert bool((error >= 0).all())
    assert float(error.detach().sum()) > 0
    keep = torch.rand(BATCH, UNROLL + 1, generator=Generator().manual_seed(4)) < 0.5
    masked = {key: Target(t.value, t.mask * keep) for key, t in targets.items()}
    part = loss(unroll, masked, None)
    assert not part[~keep].any()
    assert not config.entrywise or torch.equal(part[keep], error[keep])
    # The unmasked entries give gradients.
    error.sum().backward(retain_graph=True)
    assert any(p.grad is not None for p in parts.model.parameters())
    parts.model.zero_grad()


@pytest.mark.parametrize("explore", [False, True])
@pytest.mark.parametrize("name", component_names("planner"))
def test_planner_returns_a_policy_over_legal_actions(
    name: str, explore: bool, parts: TrialParts, tic_tac_toe: GameTableEnvironment
) -> None:
    planner = components("planner")[name]().build(tic_tac_toe.spec)  # type: ignore[attr-defined]
    state = tic_tac_toe.positions()[::41]
    legal = tic_tac_toe.legal(state)
    root = parts.model.represent(tic_tac_toe.observe(state), Generator(), state)
    plans = [
        planner.plan(parts.model, root, legal, Generator().manual_seed(5), explore)
        for _ in range(2)
    ]
    plan = plans[0]
    batch = len(state)
    assert plan.policy.shape == plan.q.shape == plan.visits.shape == (batch, 9)
    assert plan.value.shape == plan.depth.shape == (batch,)
    assert torch.allclose(plan.policy.sum(1), torch.ones(batch), atol=1e-5)
    assert bool((plan.policy >= 0).all())
    assert not plan.policy[~legal].any()
    assert bool(legal[torch.arange(batch), plan.best_action()].all())
    assert isinstance(planner.differentiable, bool)
    assert plan.policy.requires_grad == planner.differentiable
    for field in ("policy", "value", "q", "visits", "depth"):
        one, other = (getattr(p, field) for p in plans)
        assert bool(one.isfinite().all())
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", component_names("procedure"))
def test_resumed_procedure_equals_uninterrupted_procedure(name: str) -> None:
    config = trial({"procedure.name": name})

    def start() -> tuple[TrialParts, Any]:
        parts = build(config)
        return parts, config.procedure.build(parts)

    first, whole = start()
    while whole.updates < 3:
        before = whole.steps, whole.updates, whole.fraction
        whole.advance()
        assert before < (whole.steps, whole.updates, whole.fraction)
    saved = through_bytes(whole.state_dict()), through_bytes(first.streams.state_dict())
    second, resumed = start()
    resumed.load_state_dict(saved[0])
    second.streams.load_state_dict(saved[1])
    while whole.updates < 6:
        whole.advance()
        resumed.advance()
    assert resumed.updates == whole.updates
    diagnostics = whole.diagnostics()
    assert diagnostics
    assert all(name.startswith("training/") for name in diagnostics)
    assert resumed.diagnostics() == diagnostics
    mine, theirs = resumed.agent.state_dict(), whole.agent.state_dict()
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def through_bytes(state: Any) -> Any:
    """Save and load a state as a checkpoint does, without any class of the project."""
    import io

    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    return torch.load(stream, weights_only=True)


@pytest.mark.parametrize("name", component_names("measure"))
def test_measure_returns_known_metrics_and_does_not_change_the_agent(
    name: str, scenes: list[tuple[TrialParts, Window]]
) -> None:
    config: Any = components("measure")[name]()
    known = [parts for parts, _ in scenes] + [build(trial(base=CELLS))]
    parts = next(p for p in known if not [*config.incompatibilities(p.config)])
    measure = config.build(parts)
    model = parts.model
    before = {key: value.clone() for key, value in model.state_dict().items()}
    streams = {key: value.clone() for key, value in parts.streams.state_dict().items()}
    rows = [measure(model, parts.planner) for _ in range(2)]
    assert rows[0] == rows[1]
    assert rows[0] or measure.details(model, parts.planner)
    info = measure.info()
    for metric, value in rows[0].items():
        spec = metrics.spec(metric)
        assert spec is not None, metric
        reading = metrics.parse(metric)
        assert set(reading.at) <= set(spec.by), metric
        assert reading.depth is None or spec.by_depth, metric
        assert metric != spec.name or spec.measure == name, metric
        assert not spec.naive or "naive" in info.levels[metric], metric
        assert value is None or value == value
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    after = parts.streams.state_dict()
    assert all(torch.equal(streams[key], after[key]) for key in after)


# --- environments --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", component_names("environment"))
def test_environment_follows_its_specification(name: str) -> None:
    cls: Any = components("environment")[name]
    # Use short episodes if the maximum length can be set.
    config = cls(max_steps=60) if "max_steps" in cls.model_fields else cls()
    environment = config.build()
    spec = environment.spec
    assert spec == config.spec()
    assert spec.name.split(":")[0] == name  # for a family, the member follows
    g = Generator().manual_seed(6)
    state = environment.reset(BATCH, g)
    over = torch.zeros(BATCH, dtype=torch.bool)
    agents = () if spec.agents == 1 else (spec.agents,)
    for _ in range(spec.horizon or 200):
        assert environment.observe(state).shape == (BATCH, *agents, *spec.observation)
        legal = environment.legal(state)
        assert legal.shape == (BATCH, *agents, spec.actions)
        assert legal.dtype == torch.bool
        assert bool(legal.any(-1)[~over].all())
        weights = legal.float() + over.reshape(-1, *[1] * len(agents), 1)
        action = torch.multinomial(weights.flatten(0, -2), 1, generator=g).view(BATCH, *agents)
        state, transition = environment.step(state, action, g)
        for tensor in (transition.reward, transition.discount):
            assert tensor.shape == (BATCH,)
            assert tensor.dtype == torch.float32
        assert not transition.reward[over].any()
        assert not transition.discount[transition.terminated].any()
        if not spec.alternating:
            assert bool((transition.discount >= 0).all())
        over |= transition.terminated | transition.truncated
    assert spec.horizon is None or bool(over.all())
    for graph in spec.graphs.values():
        assert all((b, a) in set(graph.edges) and a != b for a, b in graph.edges)
        assert {node for edge in graph.edges for node in edge} <= set(range(graph.nodes))
    if spec.oracle:
        states = environment.positions() if spec.enumerable else environment.reset(BATCH, g)
        q = environment.q(states)
        assert torch.equal(q.isfinite(), environment.legal(states))
        assert spec.bounds is None or bool(
            ((q[q.isfinite()] >= spec.bounds[0]) & (q[q.isfinite()] <= spec.bounds[1])).all()
        )
