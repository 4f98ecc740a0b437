"""Tables of a study: tidy frames at full precision, and formatted tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import pandas as pd

from analysis.configurations import configuration_frame
from analysis.formatting import (
    MISSING,
    decimal_places,
    difference_unit,
    display_factor,
    display_unit,
    format_bounds,
    format_mean,
    format_number,
    format_p,
    resolve_metric,
    shared_places,
    title_in_sentence,
)
from analysis.frames import PARTS, StudyResults
from analysis.gallery import gallery_frame
from analysis.paired_comparisons import (
    Comparison,
    compare,
    compared_metrics,
    comparisons_frame,
    difference_places,
)
from analysis.statistics import Interval, mean_interval
from analysis.study_agreement import correlation_frame, selection_frame
from analysis.table_format import Table
from analysis.waterfall import regret_parts
from workbench.metrics import METRICS, MetricSpec, TreeSearch
from workbench.record import write_text

AGENTS = ("search", "prior")
OPPONENTS = {"": "random moves", "_oracle": "perfect play"} | {
    f"_mcts_{n}": f"MCTS {n}" for n in get_args(TreeSearch)
}

BLOCKS: Mapping[str, Mapping[str, str]] = {
    "Predictive accuracy": {
        f"predictive/{part}_error": f"{part} error"
        for part in ("reward", "value", "policy", "termination")
    },
    "Predictive accuracy of latents, returns and consistency": {
        "predictive/decision_weighted_error": "decision-weighted error",
        "predictive/return_error": "return error",
        "predictive/value_equivalence_error": "value equivalence",
        "predictive/self_consistency_error": "self-consistency",
        "predictive/latent_error": "latent error",
        "predictive/hits_1": "Hits@1",
        "predictive/mrr": "MRR",
        "predictive/probe_r2_linear": "linear-probe R²",
        "predictive/probe_r2_mlp": "MLP-probe R²",
        "predictive/transposition_gap": "transposition gap",
    },
    "Optimal-move rate": {
        "decision/search_optimal_rate_decisive": "search, decisive",
        "decision/search_optimal_rate": "search, all",
        "decision/prior_optimal_rate_decisive": "prior, decisive",
        "decision/prior_optimal_rate": "prior, all",
    },
    "Regret": {
        "decision/search_regret_decisive": "search, decisive",
        "decision/search_regret": "search, all",
        "decision/prior_regret_decisive": "prior, decisive",
        "decision/prior_regret": "prior, all",
    },
    "Blunders and exploitability": {
        f"decision/{agent}_{key}": f"{agent}, {heading}"
        for key, heading in (("blunder_rate", "blunders"), ("exploitability", "exploitability"))
        for agent in AGENTS
    },
    "Losing lines": {
        "decision/losing_lines_first": "moving first",
        "decision/losing_lines_second": "moving second",
    },
    "Return": {f"decision/{agent}_return": agent for agent in AGENTS},
    **{
        title: {
            f"decision/{prefix}{agent}_score{suffix}": f"{agent}, {opponent}"
            for agent in AGENTS
            for suffix, opponent in OPPONENTS.items()
        }
        for title, prefix in (("Score", ""), ("Score in the transfer environment", "transfer_"))
    },
}


def main_frame(results: StudyResults) -> pd.DataFrame:
    """Return one row per condition and metric, over finished trials at their last checkpoint."""
    rows = []
    for name in [name for name in METRICS if name in results.done]:
        table = results.by_seed(name)
        for condition in results.conditions:
            found = mean_interval(table[condition].to_numpy(float))
            rows.append(
                {
                    "condition": condition,
                    "metric": name,
                    "family": METRICS[name].family,
                    "better": METRICS[name].better,
                    "unit": METRICS[name].unit,
                    "n": found.n,
                    "mean": found.mean,
                    "half_width": found.half_width,
                    "low": found.low,
                    "high": found.high,
                    "note": found.note,
                }
            )
    return pd.DataFrame(rows)


def sizes_table(results: StudyResults) -> Table:
    """Return finished seeds and parameters of each model part by condition."""
    rows = {name: _size_row(results, name) for name in results.conditions}
    cells = pd.DataFrame.from_dict(rows, orient="index").rename_axis("condition")
    return Table("Finished seeds, and parameters of each model part", cells)


def main_tables(results: StudyResults) -> list[Table]:
    """Return one table per kind of metric: mean ± half-width of the t interval by condition."""
    tables = [sizes_table(results)]
    for title, columns in BLOCKS.items():
        shown = {name: heading for name, heading in columns.items() if name in results.done}
        if shown:
            tables.append(Table(f"{title}: mean ± half-width of the 95 % t interval",
                                _block(results, shown)))  # fmt: skip
    return tables


def comparisons_tables(results: StudyResults) -> list[Table]:
    """Return paired differences, tests and verdicts, one table per main metric."""
    tables = []
    for name in compared_metrics(results):
        comparisons = compare(results, name)
        if not comparisons:
            continue
        places = difference_places(comparisons)
        cells = pd.DataFrame([_comparison_row(one, places) for one in comparisons])
        title = f"Paired differences in {_title_of_differences(resolve_metric(name))}"
        tables.append(Table(title, cells.set_index("comparison")))
    return tables


def selection_table(results: StudyResults) -> Table:
    """Return the selection regret of picking by each predictive metric."""
    primary = resolve_metric(results.study["primary"])
    frame, factor = selection_frame(results), display_factor(primary)
    columns = {
        "selection regret": "condition_loss",
        "random pick": "condition_loss_by_chance",
        "regret, single trial": "trial_loss",
    }
    places = {
        heading: 0 if frame.empty else decimal_places(factor * frame[column])
        for heading, column in columns.items()
    }
    rows = [
        {
            "picked by": resolve_metric(str(row["predictive"])).title,
            "picks": str(row["picked_condition"]),
            "best decider": str(row["best_condition"]),
            **{
                heading: format_number(factor * row[column], places[heading])
                for heading, column in columns.items()
            },
            "concordant pairs": str(row["concordant_pairs"]),
            "discordant pairs": str(row["discordant_pairs"]),
        }
        for row in frame.to_dict("records")
    ]
    cells = pd.DataFrame(rows)
    title = f"Selection regret in {_title_of_differences(primary)}, by predictive metric"
    return Table(title, cells if cells.empty else cells.set_index("picked by"))


def correlation_table(results: StudyResults) -> Table:
    """Return rank correlations of the study's two metrics; positive if the rankings agree."""
    frame = correlation_frame(results)
    own = frame if frame.empty else frame[frame["predictive"] == results.study["predictive"]]
    rows = [
        {
            "level": str(row["level"]),
            "n": str(row["n"]),
            "Spearman ρ": format_number(row["spearman"], 2),
            "95 % interval": format_bounds(row["low"], row["high"], 2),
            "Kendall τ": format_number(row["kendall"], 2),
            "note": str(row["note"]),
        }
        for row in own.to_dict("records")
    ]
    cells = pd.DataFrame(rows)
    title = "Rank correlation of predictive and decision quality (positive: they agree)"
    return Table(title, cells if cells.empty else cells.set_index("level"))


def all_correlations_table(results: StudyResults) -> Table:
    """Return Spearman's rho of every predictive metric with the decision metric, by level."""
    frame = correlation_frame(results)
    title = "Rank correlation (Spearman ρ) of every predictive metric with decision quality"
    if frame.empty:
        return Table(title, frame)
    known = frame.set_index(["predictive", "level"])["spearman"].unstack(sort=False)
    cells = known.map(lambda value: format_number(value, 2))
    cells.index = pd.Index([resolve_metric(str(name)).title for name in cells.index], name="metric")
    return Table(title, cells.rename_axis(columns=None))


def write_tables(results: StudyResults, folder: Path) -> list[Path]:
    """Write every table that has rows as Markdown, LaTeX and tidy CSV, and return the paths."""
    groups: dict[str, tuple[Sequence[Table], pd.DataFrame]] = {
        "trials": ([], results.trials),
        "last_checkpoints": ([], results.final),
        "by_depth": ([], results.by_depth),
        "curves": ([], results.curves),
        "evaluation": ([], results.evaluation),
        "regret_parts": ([], regret_parts(results).reset_index()),
        "gallery": ([], gallery_frame(results)),
        "configuration": ([], configuration_frame(results)),
        "main": (main_tables(results), main_frame(results)),
        "comparisons": (comparisons_tables(results), comparisons_frame(results)),
        "selection": ([selection_table(results)], selection_frame(results)),
        "correlation": (
            [correlation_table(results), all_correlations_table(results)],
            correlation_frame(results),
        ),
    }
    paths = []
    for name, (tables, frame) in groups.items():
        filled = [table for table in tables if not table.cells.empty]
        texts = {
            "md": "\n".join(table.markdown() for table in filled),
            "tex": "\n".join(table.latex() for table in filled),
            "csv": "" if frame.empty else frame.to_csv(index=False),
        }
        for suffix, text in texts.items():
            if text:
                paths.append(folder / f"{name}.{suffix}")
                write_text(paths[-1], text)
    return paths


def _comparison_row(comparison: Comparison, places: int) -> dict[str, str]:
    test, factor = comparison.test, display_factor(comparison.metric)
    mean, low, high = (
        factor * v for v in (test.interval.mean, test.interval.low, test.interval.high)
    )
    return {
        "comparison": comparison.label,
        "pairs": str(test.interval.n),
        "difference": format_number(mean, places, sign=True),
        "95 % t interval": MISSING if low == high else format_bounds(low, high, places),
        "sign-flip p": format_p(test.p),
        "smallest possible p": format_p(test.smallest_p),
        "Holm p": format_p(comparison.holm_p),
        "d_z": format_number(test.effect, 2),
        "verdict": comparison.verdict,
    }


def _size_row(results: StudyResults, condition: str) -> dict[str, str]:
    trials = results.trials[results.trials["condition"] == condition]
    done = int((trials["state"] == "done").sum())
    failed = int((trials["state"] == "failed").sum())
    seeds = f"{done} of {len(trials)}" + (f" ({failed} failed)" if failed else "")
    sizes = {part: trials[f"parameters_{part}"].max() for part in PARTS}
    return {"seeds": seeds} | {part: format_number(float(n), 0) for part, n in sizes.items()}


def _block(results: StudyResults, shown: Mapping[str, str]) -> pd.DataFrame:
    columns = {}
    for name, heading in shown.items():
        metric = resolve_metric(name)
        table = results.by_seed(name)
        found = {c: mean_interval(table[c].to_numpy(float)) for c in results.conditions}
        arrow = "↓" if metric.better == "lower" else "↑"
        symbol = " (%)" if display_unit(metric) == "%" else ""
        columns[f"{heading}{symbol} {arrow}"] = _column(results, metric, found)
    labels = {name: _label(results, name) for name in results.conditions}
    cells = pd.DataFrame(columns).fillna(MISSING).rename(index=labels).rename_axis("condition")
    return cells[(cells != MISSING).any(axis=1) | cells.index.isin(labels.values())]


def _column(
    results: StudyResults, metric: MetricSpec, found: Mapping[str, Interval]
) -> pd.Series[str]:
    """Return the cells of all conditions, followed by the naive and oracle levels."""
    levels = results.levels.get(metric.name, {})
    factor = display_factor(metric)
    means = [factor * interval.mean for interval in found.values()]
    places = shared_places(means, [factor * interval.half_width for interval in found.values()])
    cells = {
        condition: format_mean(interval, metric, places) for condition, interval in found.items()
    }
    for kind in ("naive", "oracle"):
        cells[kind] = format_number(factor * levels.get(kind, float("nan")), places)
    return pd.Series(cells)


def _label(results: StudyResults, condition: str) -> str:
    """Return the name of a condition, with the number of finished seeds if some are missing."""
    trials = results.trials[results.trials["condition"] == condition]
    done = int((trials["state"] == "done").sum())
    return condition if done == len(trials) else f"{condition} ({done} of {len(trials)})"


def _title_of_differences(metric: MetricSpec) -> str:
    """Return title and unit of differences, as in `score (search), percentage points`."""
    unit = difference_unit(metric)
    title = title_in_sentence(metric)
    return f"{title}, {unit}" if unit else title
