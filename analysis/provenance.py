"""Provenance of a figure: the study and a hash of its data."""

from __future__ import annotations

import hashlib

from analysis.frames import StudyResults


def data_digest(results: StudyResults) -> str:
    """Return the SHA-256 (hexadecimal) of all data that figures are drawn from.

    Times and versions are not part of it: the same measurements give the same hash.
    """
    digest = hashlib.sha256()
    for frame in (results.curves, results.final, results.by_depth, results.evaluation):
        digest.update(frame.to_csv(index=False).encode())
    for path in results.position_files.values():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def provenance(results: StudyResults) -> str:
    """Return study name and data hash in one line, for the metadata of a file."""
    return f"study {results.name}, data SHA-256 {data_digest(results)}"
