"""What a figure was drawn from: the study, and a hash of its data."""

from __future__ import annotations

import hashlib

from analysis.frames import StudyResults


def data_digest(results: StudyResults) -> str:
    """SHA-256 over everything that figures are drawn from, in hexadecimal digits.

    Times and versions are no part of it: the same measurements give the same hash.
    """
    found = hashlib.sha256()
    for frame in (results.curves, results.final, results.by_depth, results.evaluation):
        found.update(frame.to_csv(index=False).encode())
    for path in results.by_state.values():
        found.update(path.read_bytes())
    return found.hexdigest()


def provenance(results: StudyResults) -> str:
    """One line for a file's metadata."""
    return f"study {results.name}, data SHA-256 {data_digest(results)}"
