"""The plan as a user sees it before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ablations.config_diff import differences
from ablations.plan import Plan, Replay, left_behind, older_code, seconds_left, smallest_p
from ablations.study import Study
from workbench.config import TrialConfig
from workbench.evaluation import suite
from workbench.metrics import METRICS, Reading, parse

STATES = {
    "new": Text("to run"),
    "partial": Text("to go on", "yellow"),
    "done": Text("done", "green"),
    "failed": Text("failed, to be tried again", "red"),
}


def show_plan(
    console: Console,
    plan: Plan,
    counts: Mapping[str, int],
    concurrent: int | None,
    memory: Mapping[str, Replay],
) -> None:
    """Print the conditions, the trials with their states, and what the study can show."""
    study = plan.study
    console.print(Text(f"\n{study.name}", "bold"), Text(study.question))
    console.print(_conditions(plan, counts))
    console.print(_trials(plan))
    for line in [*_notes(plan, concurrent), *_replays(memory, concurrent), *_minded(study)]:
        console.print(line, highlight=False)


def _conditions(plan: Plan, counts: Mapping[str, int]) -> Table:
    study = plan.study
    table = Table(title="Conditions", title_justify="left", box=None, pad_edge=False)
    table.add_column("condition", overflow="fold")
    if study.match is not None:
        table.add_column(f"{study.match.part} parameters", justify="right")
    table.add_column(f"what differs from '{study.baseline}'", overflow="fold")
    for condition in study.conditions:
        sizes = [f"{counts[condition.name]:,}"] if counts else []
        changes = differences(study, condition)
        table.add_row(Text(condition.name), *sizes, Text("\n".join(changes) or "-"))
    return table


def _trials(plan: Plan) -> Table:
    states = plan.states()
    table = Table(title="Trials", title_justify="left", box=None, pad_edge=False)
    for column in ("trial", "condition", "seed", "state"):
        table.add_column(column, justify="right" if column == "seed" else "left")
    for trial in plan.trials:
        state = STATES[states[trial.id]]
        table.add_row(trial.id, Text(trial.condition), str(trial.seed), state)
    return table


def _notes(plan: Plan, concurrent: int | None) -> list[str]:
    study, states = plan.study, list(plan.states().values())
    seeds, missing = len(study.seeds), plan.missing()
    counted = {state: states.count(state) for state in STATES if state in states}
    spoken = ", ".join(f"{n} {STATES[state].plain}" for state, n in counted.items())
    notes = [
        f"{len(plan.trials)} trials = {len(study.conditions)} conditions x {seeds} seeds: {spoken}",
        f"Smallest two-sided p that {seeds} paired seeds can reach (exact sign-flip): "
        f"{smallest_p(seeds):.3g}",
    ]
    behind = left_behind(plan)
    if behind:
        notes.insert(
            1,
            f"  {behind} finished {'trial' if behind == 1 else 'trials'} in {plan.folder.name} "
            "belong to this study as it was before; they stay, and the report leaves them out.",
        )
    older = older_code(plan)
    if older:
        notes.insert(
            1,
            f"  {older} of the trials done {'comes' if older == 1 else 'come'} from another "
            "version of the code, and would not be run again; remove their folders to do that.",
        )
    compared = max(1, len(study.comparisons))
    if smallest_p(seeds) * compared > 0.05:
        least = next(n for n in count(seeds) if smallest_p(n) * compared <= 0.05)
        held = f" over {compared} comparisons (Holm)" if compared > 1 else ""
        notes.append(
            f"  No difference can come out below 0.05 by this test{held}; {least} seeds are the "
            "least."
        )
    left = seconds_left(missing, plan, concurrent) if missing and concurrent else None
    if left is not None:
        notes.append(f"Estimate, {concurrent} at once, after the trials done: {duration(left)}")
    if study.budget.minutes is not None:
        notes.append(f"No new trial starts later than {study.budget.minutes:g} min after launch")
    return notes


def _replays(memory: Mapping[str, Replay], concurrent: int | None) -> list[str]:
    """What the replays may take; conditions that have the same are told together."""
    if not memory:
        return []
    told = {
        f"{steps:,} steps, {mb:.1f} MB": [n for n, other in memory.items() if other == (steps, mb)]
        for steps, mb in memory.values()
    }
    alike = len(told) == 1
    spoken = [text if alike else f"{text} ({', '.join(names)})" for text, names in told.items()]
    most = max(mb for _, mb in memory.values()) * (concurrent or 1)
    together = f"; at most {most:.0f} MB for {concurrent} trials at once" if concurrent else ""
    return [f"Replay of a trial: {'; '.join(spoken)}{together}"]


def _minded(study: Study) -> list[str]:
    """What would spoil the study's results: better told now than at the end."""
    return [*_across_worlds(study), *_untaught(study), *_unmeasured(study)]


def _untaught(study: Study) -> list[str]:
    """What models predict and no loss teaches."""
    found = {one.name: one.config.untaught() for one in study.conditions}
    return [
        f"Mind: no loss teaches the model its {head}{_where('in', names, len(found))}: what it "
        "predicts of it stays random, and so does what searches make of that"
        for head in sorted({head for heads in found.values() for head in heads})
        for names in [[name for name, heads in found.items() if head in heads]]
    ]


def _where(preposition: str, names: Sequence[str], conditions: int) -> str:
    """` in a, b`, or nothing where it is so in all conditions."""
    return "" if len(names) == conditions else f" {preposition} {', '.join(names)}"


def _unmeasured(study: Study) -> list[str]:
    """Which of the study's metrics its trials do not measure."""
    lines = []
    for key, name in {"primary": study.primary, "predictive": study.predictive}.items():
        reading = parse(name)
        lacks = {one.name: _lack(study, one.config, reading) for one in study.conditions}
        for lack in dict.fromkeys(filter(None, lacks.values())):
            without = [condition for condition, found in lacks.items() if found == lack]
            trial = f"no trial{_where('of', without, len(lacks))}"
            lines.append(f"Mind: {trial} measures the {key} metric {name} {lack}")
    return lines


def _across_worlds(study: Study) -> list[str]:
    """Comparisons between conditions that play in different worlds."""
    specs = {one.name: one.config.environment.spec() for one in study.conditions}
    worlds = {condition: (spec.name, spec.actions) for condition, spec in specs.items()}
    crossing = [c for c in study.comparisons if worlds[c.baseline] != worlds[c.against]]
    if not crossing:
        return []
    return [
        f"Mind: {len(crossing)} of {len(study.comparisons)} comparisons are between different "
        f"worlds (such as {crossing[0].baseline} and {crossing[0].against}); declare `comparisons`"
    ]


def _lack(study: Study, trial: TrialConfig, reading: Reading) -> str | None:
    """When a trial does not measure a metric and why, if it does not; and what can be done."""
    metric = METRICS[reading.metric]
    other = "Choose another metric; `workbench list measure` names the measures."
    if metric.exact and not trial.environment.spec().oracle:
        return f"ever: its environment as configured has no oracle to say what is exact. {other}"
    measure = trial.measures.get(metric.measure)
    if measure is not None:
        deepest = getattr(measure, "depth", None)
        if reading.depth is None or deepest is None or reading.depth <= deepest:
            return None
        return (
            f"so deep: `measures.{metric.measure}.depth` is {deepest}. Raise it, or choose a depth "
            "up to there."
        )
    reason = suite(trial)[1].get(metric.measure)
    if reason:
        return f"ever: {reason}. {other}"
    return (
        f"while it trains. Name measure '{metric.measure}' under measures, choose another metric, "
        f"or let `workbench evaluate {study.name}` measure it where it can."
    )


def duration(seconds: float) -> str:
    """A time that people can read: 42 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
