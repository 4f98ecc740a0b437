"""Specification of every metric. The module is light: analysis reads it without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args


@dataclass(frozen=True)
class MetricSpec:
    """Meaning of a metric. Its reference levels depend on the environment: results state them."""

    name: str
    title: str
    family: Literal["predictive", "decision", "training"]
    better: Literal["lower", "higher"]
    unit: str
    description: str
    by_depth: bool = False
    """Also given as `name@k` at unroll depth k."""
    by: tuple[str, ...] = ()
    """Coordinates under which it is also given, as in `name[source=uniform]`."""
    naive: str = ""
    """Naive baseline whose score is the metric's `naive` level; empty if it has none."""
    oracle: float | None = 0.0
    """Score of a perfect model or of perfect play; None if unknown or given by the environment."""
    version: int = 1
    """Incremented when the metric's definition changes under the same name."""
    measure: str = ""
    """Name of the measure that computes it; empty for a metric that training writes."""
    exact: bool = False
    """Whether its measure omits it in environments without an oracle."""


@dataclass(frozen=True)
class Reading:
    """Name of one measured number: `metric@depth[key=value,...]`; depth and keys are optional."""

    metric: str
    depth: int | None = None
    at: Mapping[str, str] = field(default_factory=dict)
    """Coordinates, such as the `source` of the actions or the `simulations` of the search."""

    def __str__(self) -> str:
        depth = "" if self.depth is None else f"@{self.depth}"
        inside = ",".join(f"{key}={value}" for key, value in self.at.items())
        return f"{self.metric}{depth}" + (f"[{inside}]" if inside else "")


_READING = re.compile(r"^(?P<metric>[^@\[]+)(@(?P<depth>\d+))?(\[(?P<at>[^\]]*)\])?$")


def parse(name: str) -> Reading:
    """Parse the name of a reading. Raises ValueError if it has another form."""
    found = _READING.match(name)
    if found is None:
        raise ValueError(f"'{name}' is not of the form metric@depth[key=value,...]")
    pairs = (pair.partition("=")[::2] for pair in (found["at"] or "").split(",") if pair)
    depth = None if found["depth"] is None else int(found["depth"])
    return Reading(found["metric"], depth, dict(pairs))


TreeSearch = Literal[10, 100, 1000]
"""Numbers of rollouts per move of the tree searches that serve as opponents."""


def _decision_metrics(agent: str, title: str) -> list[MetricSpec]:
    everywhere, decisive = "all positions", "decisive positions (legal moves differ in value)"
    lower: Literal["lower"] = "lower"
    higher: Literal["higher"] = "higher"
    return [
        MetricSpec(f"decision/{agent}_{key}", f"{name} ({title}{note})", "decision", better, unit,
                   f"{text} over {where}; the {title} decides greedily, without noise.",
                   by=("simulations",) if agent == "search" else (),
                   naive="uniformly random moves", oracle=oracle, measure="decision")
        for note, suffix, where in (("", "", everywhere), (", decisive", "_decisive", decisive))
        for key, name, better, unit, text, oracle in (
            (f"optimal_rate{suffix}", "Optimal-move rate", higher, "share",
             "Share of moves that are exactly optimal", 1.0),
            (f"regret{suffix}", "Regret", lower, "game value",
             "Mean Q*(s, a*) - Q*(s, a) of the chosen action a", 0.0),
        )
    ] + [
        MetricSpec(f"decision/{agent}_blunder_rate", f"Blunder rate ({title})", "decision", lower,
                   "share", "Share of actions that turn a position that is not lost into a lost "
                   "one, "
                   f"over the positions that are not lost; the {title} decides greedily.",
                   by=("simulations",) if agent == "search" else (),
                   naive="uniformly random moves", measure="decision"),
        MetricSpec(f"decision/{agent}_exploitability", f"Exploitability ({title})", "decision",
                   lower, "game value", "What the best reply gains on perfect play against the "
                   f"{title}, who decides greedily: the mean over both sides.",
                   naive="uniformly random moves", measure="exploitability"),
    ]  # fmt: skip


def _unroll_metrics() -> list[MetricSpec]:
    """Return the metrics that are given by unroll depth and by source of the actions."""
    source = ("source",)
    blind = "the best constant prediction"
    lower: Literal["lower"] = "lower"
    higher: Literal["higher"] = "higher"
    found: list[tuple[str, str, str, Literal["lower", "higher"], str, str, float, str]] = [
        ("predictive", "reward_error", "Reward error", lower, "squared", blind, 0.0,
         "Mean squared error of the predicted reward, along real actions."),
        ("predictive", "value_error", "Value error", lower, "squared", blind, 0.0,
         "Mean squared error of the predicted value against the exact value of the true state."),
        ("predictive", "policy_error", "Policy error", lower, "nats", "a uniform policy", 0.0,
         "-log of the probability that the predicted policy gives to optimal actions."),
        ("predictive", "termination_error", "Termination error", lower, "Brier", blind, 0.0,
         "Mean squared error of the predicted probability that the episode has ended."),
        ("predictive", "illegal_mass", "Illegal probability", lower, "share",
         "a uniform policy", 0.0,
         "Probability that the predicted policy gives to actions that the true state forbids."),
        ("latents", "latent_error", "Latent error", lower, "normalised",
         "the latent of another state", 0.0,
         "Mean squared distance of the unrolled latent to h of the true observation, divided by "
         "that of two random states, so that the scale of the latent does not matter."),
        ("latents", "probe_r2_linear", "Linear-probe R²", higher, "R²",
         "the mean observation", 1.0,
         "Share of the variance of the true observation that a ridge regression explains from "
         "unrolled latents; it is fitted to encoded states only."),
        ("latents", "probe_r2_mlp", "MLP-probe R²", higher, "R²",
         "the mean observation", 1.0,
         "The same for an MLP with one hidden layer; no probe sends a gradient to the model."),
        ("latents", "hits_1", "Hits@1", higher, "share", "a random order", 1.0,
         "Share of unrolled latents whose nearest encoded state is the true one; ties count with "
         "their middle rank, so that a constant latent gains nothing."),
        ("latents", "hits_5", "Hits@5", higher, "share", "a random order", 1.0,
         "Share of unrolled latents with the true state among the five nearest encoded states."),
        ("latents", "mrr", "Mean reciprocal rank", higher, "share",
         "a random order", 1.0,
         "Mean of 1 / rank of the true state among the encoded states, ordered by distance."),
        ("equivalence", "value_equivalence_error", "Value-equivalence error", lower, "squared",
         "", 0.0,
         "Mean squared difference between k predicted rewards plus the predicted value, and k "
         "true rewards plus the value of the encoded true state, along the same actions (Grimm "
         "et al. 2020, order k, with the agent's own value)."),
        ("equivalence", "policy_evaluation_error", "Policy-evaluation error", lower, "absolute",
         "no reward ever", 0.0,
         "Mean absolute difference between the predicted and the true k-step return, along "
         "actions of a policy that may differ from the agent's (He et al. 2023)."),
        ("observation", "observation_error", "Observation error", lower, "squared", blind, 0.0,
         "Mean squared error of the decoded observation, averaged over its entries."),
    ]  # fmt: skip
    return [
        MetricSpec(f"predictive/{name}", title, "predictive", better, unit, text, True, source,
                   chance, oracle, measure=measure, exact=name in ("value_error", "policy_error"))
        for measure, name, title, better, unit, chance, oracle, text in found
    ]  # fmt: skip


def _search_metrics() -> list[MetricSpec]:
    """Return the metrics of the search's effect on the prior and of oracle substitutions."""
    by = ("simulations",)
    return [
        MetricSpec("decision/planning_gain", "Planning gain", "decision", "higher", "game value",
                   "Regret of the prior minus regret of the search.", by=by, naive="no search",
                   oracle=None, measure="search_budget"),
        MetricSpec("decision/worsened_rate", "Decisions worsened by "
                   "search", "decision", "lower", "share",
                   "Share of positions in which the search's action has a lower value than the "
                   "prior's.", by=by, naive="no search", measure="search_budget"),
        MetricSpec("decision/transplant_regret", "Regret after oracle "
                   "substitution", "decision", "lower",
                   "game value", "Regret of the search after the dynamics, prior or value of the "
                   "trained agent is replaced in every node of the tree, without retraining.",
                   by=("dynamics", "prior", "value", "simulations"),
                   naive="uniformly random moves", measure="transplant"),
        MetricSpec("decision/substitution_effect", "Effect of oracle substitution on regret",
                   "decision", "higher", "game value",
                   "Shapley value of replacing a part: the change of regret, averaged over all "
                   "orders; negative if replacing the part lowers the regret.",
                   by=("part", "simulations"), oracle=None, measure="transplant"),
        MetricSpec("decision/model_regret", "Model regret", "decision", "lower", "game value",
                   "Regret with the learned dynamics minus regret with the true dynamics, with the "
                   "same heads.", by=by, measure="transplant"),
        MetricSpec("decision/flip_rate", "Flip rate", "decision", "lower", "share",
                   "Share of positions in which the search changes its decision after reward, "
                   "termination and value at depth k are replaced by the true ones.", True, by,
                   measure="flips"),
        MetricSpec("decision/flip_gain", "Regret saved by an oracle at one depth", "decision",
                   "lower", "game value", "Decrease of the regret after reward, termination and "
                   "value at "
                   "depth k are replaced by the true ones; a negative value is an increase.", True,
                   by, measure="flips"),
        MetricSpec("predictive/decision_weighted_error", "Decision-weighted "
                   "error", "predictive", "lower",
                   "squared", "Mean squared error of the predicted value of an action, weighted "
                   "by the "
                   "visits of the action and by the gap in value between the best and the "
                   "second-best action.", naive="the best constant "
                   "prediction", measure="decision_weighted_error"),
        MetricSpec("predictive/self_consistency_error", "Self-consistency error", "predictive",
                   "lower", "squared", "Mean squared difference between the predicted value at "
                   "depth k and "
                   "the reward plus value predicted one step later, along the agent's policy.",
                   True,
                   measure="equivalence"),
        MetricSpec("predictive/transposition_gap", "Transposition gap", "predictive", "lower",
                   "normalised", "Mean squared distance of the latents that two orders of the same "
                   "actions lead to, divided by that of two random states.",
                   naive="the latent of another state", measure="transpositions"),
        MetricSpec("predictive/transposition_value_gap", "Value gap of transpositions",
                   "predictive", "lower", "squared", "Mean squared difference of the values "
                   "predicted after two orders of the same actions.", measure="transpositions"),
        MetricSpec("predictive/return_error", "Error of the agent's own return", "predictive",
                   "lower", "squared", "Mean squared error of the predicted value against the "
                   "discounted "
                   "return of the agent's own play from the same state.", True,
                   measure="monte_carlo"),
        *(
            MetricSpec(f"decision/open_loop_{key}", f"{title}, open-loop play", "decision",
                       "higher", unit, f"{title} of the searching agent that observes every n-th "
                       "step only and plans from unrolled latents in between.",
                       by=("interval",), naive="uniformly random moves", oracle=None,
                       measure="open_loop_play")
            for key, title, unit in (("return", "Return", "reward"), ("score", "Score", "share"))
        ),
    ]  # fmt: skip


def _play_metrics(agent: str) -> list[MetricSpec]:
    """Return the metrics of greedy play: return, match scores, and transfer scores."""
    against = {"": "random moves", "_oracle": "perfect play"} | {
        f"_mcts_{rollouts}": f"OpenSpiel's tree search with {rollouts} rollouts a move"
        for rollouts in get_args(TreeSearch)
    }
    by = ("simulations",) if agent == "search" else ()
    elsewhere = {"": ("", ""), "transfer_": (", transfer", " in the target environment")}
    return [
        MetricSpec(f"decision/{agent}_return", f"Return ({agent})", "decision", "higher", "reward",
                   f"Mean undiscounted return of greedy play by the {agent}, without noise, over "
                   "the same episodes.", by=by, naive="uniformly random moves", oracle=None,
                   measure="returns"),
        *(
            MetricSpec(f"decision/{prefix}{agent}_score{suffix}",
                       f"Score against {opponent} ({agent}{note})", "decision", "higher", "share",
                       f"Share of games won, draws counted as half, by the {agent}, greedily and "
                       f"without noise, against {opponent}{where}; every opening is played from "
                       "both sides.", by=by, naive="uniformly random moves", oracle=None,
                       measure="size_transfer" if prefix else "matches")
            for prefix, (note, where) in elsewhere.items()
            for suffix, opponent in against.items()
        ),
    ]  # fmt: skip


METRICS: dict[str, MetricSpec] = {
    spec.name: spec
    for spec in [
        *_unroll_metrics(),
        *_decision_metrics("prior", "prior"),
        *_decision_metrics("search", "search"),
        MetricSpec("decision/losing_lines", "Losing lines", "decision", "lower", "lines",
                   "Distinct games that the searching agent, playing without noise, loses against "
                   "some sequence of replies, moving first or second.", measure="decision"),
        MetricSpec("decision/losing_lines_first", "Losing lines, moving first", "decision", "lower",
                   "lines", "Losing lines where the agent moves first.", measure="decision"),
        MetricSpec("decision/losing_lines_second", "Losing lines, moving second", "decision",
                   "lower", "lines", "Losing lines where the agent moves second.",
                   measure="decision"),
        *_play_metrics("prior"),
        *_play_metrics("search"),
        *_search_metrics(),
        MetricSpec("training/loss", "Loss", "training", "lower", "",
                   "The weighted objective, mean since the last measurement.", oracle=None),
    ]
}  # fmt: skip


def spec(name: str) -> MetricSpec | None:
    """Return the metric that a reading's name belongs to; None if it is unknown."""
    return METRICS.get(re.sub(r"[@\[].*$", "", name))
