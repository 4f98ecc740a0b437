"""Changes of a study file after its last launch, for reports."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ablations.manifest import COPY
from ablations.study import Study, read_study
from ablations.study_folder import read_manifest
from workbench import documents
from workbench.errors import ConfigError

DESIGN = ("question", "baseline", "comparisons", "primary", "predictive", "match")
"""Keys that change the report of a study, but not its trials."""


def edited_design(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Return what the study file declares now, if it was edited after the last launch.

    Returns:
        The manifest's entries for the keys in `DESIGN`, empty if the stored ones hold; and a
        sentence about each kind of edit. Both are empty if the file is unchanged or not there.
    """
    manifest = read_manifest(folder)
    file, copy = Path(str(manifest.get("file", ""))), folder / COPY
    if not file.is_file() or not copy.is_file() or file.read_bytes() == copy.read_bytes():
        return {}, []
    try:
        then, now = (documents.load(path).plain() for path in (copy, file))
        changed = _changed_keys(then, now)
        study = read_study(file) if set(changed) & set(DESIGN) else None
    except ConfigError as error:
        more = len(error.problems) - 1
        also = f" and {more} more problems" if more else ""
        return {}, [
            f"{file} was edited after the last launch and has mistakes, so this report uses the "
            f"stored study: {error.problems[0]}{also}"
        ]
    if "study" in changed:  # the file now describes another study
        return {}, []
    return _notices(file, changed, study, {c["name"] for c in manifest["conditions"]})


def _changed_keys(then: Any, now: Any) -> list[str]:
    """Return the top-level keys that differ between two study files."""
    if not isinstance(then, dict) or not isinstance(now, dict):
        return []
    return [key for key in {**then, **now} if then.get(key) != now.get(key)]


def _notices(
    file: Path, changed: list[str], study: Study | None, conditions: set[str]
) -> tuple[dict[str, Any], list[str]]:
    design: dict[str, Any] = {}
    notices = []
    shown = _listed(key for key in changed if key in DESIGN)
    if study is not None:
        pairs = [{"baseline": c.baseline, "against": c.against} for c in study.comparisons]
        named = {study.baseline, *(name for pair in pairs for name in pair.values())}
        if named <= conditions:
            design = {
                "question": study.question,
                "baseline": study.baseline,
                "comparisons": pairs,
                "primary": study.primary,
                "predictive": study.predictive,
                "match": study.match.model_dump() if study.match else None,
            }
            notices.append(
                f"{file} was edited after the last launch; this report uses its current {shown}."
            )
        else:
            notices.append(
                f"{file} was edited after the last launch; this report uses the stored {shown}, "
                "because the current ones name conditions without trials."
            )
    others = _listed(key for key in changed if key not in DESIGN)
    if others:
        notices.append(
            f"{file} was edited after the last launch: its {others} do not hold for these trials. "
            f"`workbench ablate {file}` runs the trials that the edited file describes."
        )
    return design, notices


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(f"`{key}`" for key in keys)
