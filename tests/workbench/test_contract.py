"""One contract for every registered component: whatever is added is held to it without a new test.

A component that a trial on tic-tac-toe can use is built, run and asked what it declares; those that
do not fit must say so with both names.
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
    Config,
    DynamicsConfig,
    Misfit,
    ModelConfig,
    PredictionConfig,
    RepresentationConfig,
    Slot,
)
from workbench.contracts import Context, Parts
from workbench.environments.games.lookup_table import TableEnvironment
from workbench.models.representation.cnn import CNN
from workbench.models.representation.gcn import GCN
from workbench.models.representation.mlp import MLP
from workbench.models.systems.composed import Composed
from workbench.models.world_model import WorldModel
from workbench.registry import FOLDERS, components
from workbench.training.actor import Actor
from workbench.training.replay_buffer import Replay
from workbench.training.settings import OpeningConfig, TemperatureConfig
from workbench.trial import build
from workbench.types import Target, Window, leaves

BATCH, UNROLL = 12, 3
ALL = [(kind, name) for kind in FOLDERS for name in components(kind)]


def of_kind(kind: str) -> list[str]:
    return list(components(kind))


def variants(kind: str) -> list[Any]:
    """Every component of a kind with its defaults, and with each choice of each of its options."""
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


# --- what users read -----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_it_says_what_it_is_and_what_every_option_means(kind: str, name: str) -> None:
    cls = components(kind)[name]
    assert (cls.kind, cls.component) == (kind, name)
    assert "__doc__" in vars(cls)
    first = (cls.__doc__ or "").strip().splitlines()[0]
    assert len(first) > 15
    assert first.endswith(".")
    for part in nested(cls):
        for option, field in part.model_fields.items():
            if not any(isinstance(m, Slot) for m in field.metadata):
                assert field.description, f"{part.__name__}.{option}"


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_every_option_has_a_default_but_the_parts_of_a_model(kind: str, name: str) -> None:
    cls = components(kind)[name]
    for option, field in cls.model_fields.items():
        slot = any(isinstance(m, Slot) for m in field.metadata)
        assert slot or not field.is_required(), option
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


class Joint:
    """A model of one representation, dynamics and prediction, and positions to run it on."""

    def __init__(
        self,
        parts: tuple[RepresentationConfig, DynamicsConfig, PredictionConfig],
        norm: str,
        environment: TableEnvironment,
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
        # Positions from which three more moves can be made.
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

    def code(self, latent: Any) -> Tensor:
        """The learned part of a latent."""
        return [t for t in leaves(latent) if t.is_floating_point()][-1]

    def outputs(self, rows: slice = slice(None)) -> list[Tensor]:
        """Everything that the model says along the actions, step by step."""
        latent, said = self.root(rows), []
        for k in range(UNROLL):
            said += [self.code(latent), *leaves(self.model.predict(latent))]
            latent, edge = self.model.step(latent, self.actions[rows, k], Generator())
            said += leaves(edge)
        return [*said, *leaves(self.model.predict(latent))]


Triple = tuple[RepresentationConfig, DynamicsConfig, PredictionConfig]


def usual(kind: str) -> list[Any]:
    """One component of a kind for each kind of latent: partners for the one that is tested."""
    if kind == "representation":
        return [MLP(), CNN(ends_in="grid"), GCN(ends_in="nodes")]
    return [cls() for cls in components(kind).values()]


def triples() -> list[Triple]:
    """Every variant of every part among usual partners, whether they fit or not."""
    kinds = ("representation", "dynamics", "prediction")
    found: dict[str, Triple] = {}
    for tested in kinds:
        for variant in variants(tested):
            pools = [[variant] if kind == tested else usual(kind) for kind in kinds]
            for triple in product(*pools):
                found[" + ".join(map(label, triple))] = triple
    return list(found.values())


TRIPLES = triples()
JOINTS: dict[str, list[tuple[str, Triple]]] = {}


def fitting(environment: TableEnvironment, norm: str = "min_max") -> Iterator[tuple[str, Joint]]:
    """Each variant in one model for each partner that it differs from in what it is given."""
    if "fit" not in JOINTS:
        JOINTS["fit"] = list(_fitting(environment))
    for name, triple in JOINTS["fit"]:
        yield name, Joint(triple, norm, environment)


def _fitting(environment: TableEnvironment) -> Iterator[tuple[str, Triple]]:
    seen: set[tuple[str, ...]] = set()
    for triple in TRIPLES:
        config = Composed(representation=triple[0], dynamics=triple[1], prediction=triple[2])
        try:
            latent = config.spec(environment.spec).latent.kind
        except Misfit:
            continue
        # What a part is given is a kind of latent: with each, every variant is tried once.
        new = {(part.kind, label(part), latent) for part in triple} - seen
        if new:
            seen |= new
            yield " + ".join(map(label, triple)), triple


def test_every_part_fits_into_some_model(tic_tac_toe: TableEnvironment) -> None:
    used = set()
    for _, joint in fitting(tic_tac_toe):
        config = joint.config
        used |= {(p.kind, p.component) for p in (config.representation, config.dynamics)}
        used.add(("prediction", config.prediction.component))
    kinds = ("representation", "dynamics", "prediction")
    assert used == {(kind, name) for kind in kinds for name in of_kind(kind)}


def test_parts_that_do_not_fit_say_so_with_both_names(tic_tac_toe: TableEnvironment) -> None:
    told: list[str] = []
    for triple in TRIPLES:
        config = Composed(representation=triple[0], dynamics=triple[1], prediction=triple[2])
        try:
            config.spec(tic_tac_toe.spec)
        except Misfit as misfit:
            message = str(misfit)
            told.append(message)
            named = [part for part in triple if f"{part.kind} '{part.component}'" in message]
            assert len(named) == 2, message
    assert told


def test_latents_have_the_declared_shape_are_finite_and_scaled(
    tic_tac_toe: TableEnvironment,
) -> None:
    for name, joint in fitting(tic_tac_toe):
        latent = joint.root()
        for k in range(UNROLL + 1):
            code = joint.code(latent)
            assert code.shape == (BATCH, *joint.spec.latent.shape), name
            flat = code.flatten(1)
            assert bool(flat.isfinite().all()), name
            assert torch.allclose(flat.amin(1), torch.zeros(BATCH), atol=1e-6), name
            assert torch.allclose(flat.amax(1), torch.ones(BATCH), atol=1e-6), name
            if k < UNROLL:
                latent, _ = joint.model.step(latent, joint.actions[:, k], Generator())


def test_layer_norm_gives_each_latent_mean_0_and_variance_1(tic_tac_toe: TableEnvironment) -> None:
    for name, joint in fitting(tic_tac_toe, "layer_norm"):
        latent, _ = joint.model.step(joint.root(), joint.actions[:, 0], Generator())
        for code in (joint.code(joint.root()), joint.code(latent)):
            flat = code.flatten(1)
            assert torch.allclose(flat.mean(1), torch.zeros(BATCH), atol=1e-4), name
            assert torch.allclose(flat.var(1, correction=0), torch.ones(BATCH), atol=2e-2), name


def test_heads_and_edges_are_those_that_the_specification_offers(
    tic_tac_toe: TableEnvironment,
) -> None:
    for name, joint in fitting(tic_tac_toe):
        assert joint.model.spec == joint.spec
        heads = joint.model.predict(joint.root())
        _, edge = joint.model.step(joint.root(), joint.actions[:, 0], Generator())
        assert heads.policy.shape == (BATCH, 9), name
        assert heads.value.shape == edge.reward.shape == edge.discount.shape == (BATCH,), name
        assert (heads.legal is not None) == ("legal" in joint.spec.heads), name
        assert (edge.termination is not None) == ("termination" in joint.spec.heads), name
        assert bool((edge.discount <= 0).all()), name  # the other player is next, or the end
        if edge.termination is not None:
            assert bool(((edge.termination >= 0) & (edge.termination <= 1)).all()), name
        for head in joint.spec.heads & {"value", "reward"}:
            assert head in joint.model.codecs, name


def test_gradients_reach_every_trainable_parameter_and_no_frozen_one(
    tic_tac_toe: TableEnvironment,
) -> None:
    for name, joint in fitting(tic_tac_toe):
        unroll = joint.model.unroll(joint.root(), joint.actions, Generator(), 0.5)
        g = Generator().manual_seed(3)
        raw = [unroll.heads.policy, *unroll.heads.raw.values(), *unroll.edges.raw.values()]
        total = sum((t * torch.randn(t.shape, generator=g)).sum() for t in raw)
        assert isinstance(total, Tensor)
        total.backward()  # type: ignore[no-untyped-call]
        for part, module in joint.model.parts().items():
            declared = getattr(getattr(joint.config, part), "trainable", True)
            parameters = list(module.named_parameters())
            assert parameters or not declared, f"{name}: {part}"
            for weight, parameter in parameters:
                assert parameter.requires_grad == declared, f"{name}: {part}.{weight}"
                reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
                assert reached == declared, f"{name}: {part}.{weight}"
        counted = sum(p.numel() for m in joint.model.parts().values() for p in m.parameters())
        assert counted == sum(p.numel() for p in joint.model.parameters()), name


def test_a_batch_equals_its_rows_one_by_one(tic_tac_toe: TableEnvironment) -> None:
    for name, joint in fitting(tic_tac_toe):
        if not (joint.representation.row_independent and joint.dynamics.row_independent):
            continue
        with torch.no_grad():
            together = joint.outputs()
            for b in (0, 5, BATCH - 1):
                alone = joint.outputs(slice(b, b + 1))
                for whole, single in zip(together, alone, strict=True):
                    assert torch.allclose(whole[b : b + 1].float(), single.float(), atol=2e-5), name


def test_evaluation_under_inference_mode_gives_the_same_and_changes_nothing(
    tic_tac_toe: TableEnvironment,
) -> None:
    for name, joint in fitting(tic_tac_toe):
        before = {k: v.clone() for k, v in joint.model.state_dict().items()}
        plain = joint.outputs()
        joint.model.eval()
        with torch.inference_mode():
            said = joint.outputs()
        joint.model.train()
        for a, b in zip(plain, said, strict=True):
            assert torch.equal(a, b), name
        assert all(torch.equal(before[k], v) for k, v in joint.model.state_dict().items()), name


def test_the_same_seed_builds_the_same_weights(tic_tac_toe: TableEnvironment) -> None:
    for name, joint in fitting(tic_tac_toe):
        torch.manual_seed(99)  # the global stream has no say
        again = joint.config.build(tic_tac_toe, 1.0, seed=1).state_dict()
        for key, value in joint.model.state_dict().items():
            assert torch.equal(again[key], value), f"{name}: {key}"


@pytest.mark.parametrize("name", of_kind("model"))
def test_a_model_states_its_specification_without_being_built(
    name: str, tic_tac_toe: TableEnvironment
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
    "procedure.opening.fraction": 0.0,
    "measures": {"predictive": None, "decision": None},
}
"""A world of one side, and the model that fits into no other."""


CELLS: dict[str, Any] = {"preset": "muzero_hex", "planner.simulations": 2, "measures.matches": None}
"""A board whose size no parameter knows."""


def scene(base: dict[str, Any]) -> tuple[Parts, Window]:
    """A trial with every head that its model can have, and a target at every key.

    And windows of real self-play, long enough for every target, some of them past the end.
    """
    roles = {cls.role: name for name, cls in components("target").items() if cls.role}  # type: ignore[attr-defined]
    parts = build(trial({"targets": roles, "model.decoder": "mlp"}, base=base))
    actor = Actor(parts, 32, OpeningConfig(), TemperatureConfig())
    replay = Replay(2000, actor.layout)
    for _ in range(20):
        _, episodes = actor.move(parts.model)
        if episodes is not None:
            replay.add(episodes)
    lookahead = max(cls().lookahead for cls in components("target").values())  # type: ignore[attr-defined]
    return parts, replay.sample(BATCH, UNROLL, lookahead, Generator().manual_seed(1))


@pytest.fixture(scope="module")
def scenes() -> list[tuple[Parts, Window]]:
    """A game of two and a world of one side: what does not fit into the one fits the other."""
    return [scene(TINY), scene(PREFIX)]


@pytest.fixture(scope="module")
def parts(scenes: list[tuple[Parts, Window]]) -> Parts:
    return scenes[0][0]


@pytest.fixture(scope="module")
def window(scenes: list[tuple[Parts, Window]]) -> Window:
    return scenes[0][1]


@pytest.mark.parametrize("absorbing", [True, False])
@pytest.mark.parametrize("name", of_kind("target"))
def test_a_target_has_value_and_mask_of_the_window(
    name: str, absorbing: bool, parts: Parts, window: Window
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


@pytest.mark.parametrize("name", of_kind("loss"))
def test_a_loss_is_finite_by_row_and_step_and_zero_where_masked(
    name: str, scenes: list[tuple[Parts, Window]]
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
    # Only what is unmasked is learnt from.
    error.sum().backward(retain_graph=True)
    assert any(p.grad is not None for p in parts.model.parameters())
    parts.model.zero_grad()


@pytest.mark.parametrize("explore", [False, True])
@pytest.mark.parametrize("name", of_kind("planner"))
def test_a_planner_gives_a_policy_over_the_legal_moves(
    name: str, explore: bool, parts: Parts, tic_tac_toe: TableEnvironment
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
    assert bool(legal[torch.arange(batch), plan.best()].all())
    assert isinstance(planner.differentiable, bool)
    assert plan.policy.requires_grad == planner.differentiable
    for field in ("policy", "value", "q", "visits", "depth"):
        one, other = (getattr(p, field) for p in plans)
        assert bool(one.isfinite().all())
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", of_kind("procedure"))
def test_a_procedure_goes_on_from_its_state_as_if_never_stopped(name: str) -> None:
    config = trial({"procedure.name": name})

    def begin() -> tuple[Parts, Any]:
        parts = build(config)
        return parts, config.procedure.build(parts)

    first, whole = begin()
    while whole.updates < 3:
        before = whole.steps, whole.updates, whole.fraction
        whole.advance()
        assert before < (whole.steps, whole.updates, whole.fraction)
    saved = through_bytes(whole.state_dict()), through_bytes(first.streams.state_dict())
    second, resumed = begin()
    resumed.load_state_dict(saved[0])
    second.streams.load_state_dict(saved[1])
    while whole.updates < 6:
        whole.advance()
        resumed.advance()
    assert resumed.updates == whole.updates
    told = whole.diagnostics()
    assert told
    assert all(name.startswith("training/") for name in told)
    assert resumed.diagnostics() == told
    mine, theirs = resumed.agent.state_dict(), whole.agent.state_dict()
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def through_bytes(state: Any) -> Any:
    """Through bytes and back, as a checkpoint goes; nothing in it may need code to be loaded."""
    import io

    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    return torch.load(stream, weights_only=True)


@pytest.mark.parametrize("name", of_kind("measure"))
def test_a_measure_gives_known_metrics_and_leaves_the_agent_as_it_is(
    name: str, scenes: list[tuple[Parts, Window]]
) -> None:
    config: Any = components("measure")[name]()
    known = [parts for parts, _ in scenes] + [build(trial(base=CELLS))]
    parts = next(p for p in known if not [*config.misfits(p.config)])
    measure = config.build(parts)
    model = parts.model
    before = {key: value.clone() for key, value in model.state_dict().items()}
    streams = {key: value.clone() for key, value in parts.streams.state_dict().items()}
    rows = [measure(model, parts.planner) for _ in range(2)]
    assert rows[0] == rows[1]
    assert rows[0] or measure.details(model, parts.planner)
    facts = measure.facts()
    for name_of, value in rows[0].items():
        spec = metrics.spec(name_of)
        assert spec is not None, name_of
        reading = metrics.parse(name_of)
        assert set(reading.at) <= set(spec.by), name_of
        assert reading.depth is None or spec.by_depth, name_of
        assert name_of != spec.name or spec.measure == name, name_of
        assert not spec.chance or "chance" in facts.levels[name_of], name_of
        assert value is None or value == value
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    after = parts.streams.state_dict()
    assert all(torch.equal(streams[key], after[key]) for key in after)


# --- environments --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", of_kind("environment"))
def test_an_environment_keeps_to_its_specification(name: str) -> None:
    cls: Any = components("environment")[name]
    # Where a length can be set, episodes are cut soon.
    config = cls(max_steps=60) if "max_steps" in cls.model_fields else cls()
    world = config.build()
    spec = world.spec
    assert spec == config.spec()
    assert spec.name.split(":")[0] == name  # a family names its member too
    g = Generator().manual_seed(6)
    state = world.reset(BATCH, g)
    over = torch.zeros(BATCH, dtype=torch.bool)
    agents = () if spec.agents == 1 else (spec.agents,)
    for _ in range(spec.horizon or 200):
        assert world.observe(state).shape == (BATCH, *agents, *spec.observation)
        legal = world.legal(state)
        assert legal.shape == (BATCH, *agents, spec.actions)
        assert legal.dtype == torch.bool
        assert bool(legal.any(-1)[~over].all())
        weights = legal.float() + over.reshape(-1, *[1] * len(agents), 1)
        action = torch.multinomial(weights.flatten(0, -2), 1, generator=g).view(BATCH, *agents)
        state, transition = world.step(state, action, g)
        for given in (transition.reward, transition.discount):
            assert given.shape == (BATCH,)
            assert given.dtype == torch.float32
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
        asked = world.positions() if spec.enumerable else world.reset(BATCH, g)
        q = world.q(asked)
        assert torch.equal(q.isfinite(), world.legal(asked))
        assert spec.bounds is None or bool(
            ((q[q.isfinite()] >= spec.bounds[0]) & (q[q.isfinite()] <= spec.bounds[1])).all()
        )
