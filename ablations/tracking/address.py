"""Which MLflow store is used, how its address is written, and what of it may be shown."""

from __future__ import annotations

import atexit
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STORE, ARTIFACTS = "mlflow.db", "mlartifacts"
VARIABLE = "MLFLOW_TRACKING_URI"

_CREDENTIALS = re.compile(r"(\w[\w+.-]*://).*@", re.DOTALL)
_SECRETS = re.compile(r"([?&;][^=&\s]*(?:pass|pwd|token|secret|key|credential)[^=&\s]*=)[^&\s'\"]+",
                      re.IGNORECASE)  # fmt: skip
_WORD_WITH_CREDENTIALS = re.compile(r"(\w[\w+.-]*://)[^\s'\"]*@")
_PLAIN_PATH = re.compile(r"[\w/.,:+=~@ -]*")


@dataclass(frozen=True)
class Store:
    """An MLflow store: the SQLite file of an output folder, or an address that the user gave."""

    uri: str
    """The address for MLflow. It may contain credentials, so it is never shown or stored."""
    shown: str
    """The address for messages and records."""
    file: Path | None = None
    """The file of an output folder; None for an address that the user gave."""
    origin: str = ""
    """Origin of a given address, for messages."""

    @property
    def page(self) -> str | None:
        """Address of the MLflow interface, if a server answers there; without credentials."""
        if not self.uri.startswith(("http://", "https://")):
            return None
        return re.sub(r"://.*@", "://", self.uri)


def store_of(outputs: Path, option: str | None = None) -> Store:
    """Return the store that a launch into `outputs` uses.

    Args:
        outputs: the output folder.
        option: value of `--tracking-uri`. It overrides the variable MLFLOW_TRACKING_URI, which
            overrides the file in the output folder.
    """
    variable = os.environ.get(VARIABLE)
    if given := option or variable:
        origin = f" (from {VARIABLE})" if given == variable else ""
        return Store(given, redact(given), origin=origin)
    return own_store(outputs / STORE)


def own_store(file: Path) -> Store:
    """Return the store in a SQLite file of an output folder."""
    return Store(sqlite_uri(file.absolute()), str(file), file.absolute())


def existing_store(folder: Path, option: str | None = None) -> Store | None:
    """Return the store for the results in `folder`: a given address, or the nearest file above.

    Args:
        folder: folder of a study or of a trial.
        option: value of `--tracking-uri`.

    Returns:
        the store; None if no address is given and no file exists.
    """
    if option or os.environ.get(VARIABLE):
        return store_of(folder, option)
    above = folder.absolute().parents[:3]
    found = next((parent for parent in above if (parent / STORE).is_file()), None)
    return own_store(found / STORE) if found else None


def sqlite_uri(file: Path) -> str:
    """Return the address of a SQLite file with an absolute path.

    The versions of SQLAlchemy that MLflow accepts disagree on escapes in the path, and MLflow reads
    `?` and `%` in it again. A path with such characters is therefore reached through a link.
    """
    if not _PLAIN_PATH.fullmatch(str(file)) or not str(file).isascii():
        file = _link_to(file.parent) / file.name
    return f"sqlite:///{file}"


@cache
def _link_to(folder: Path) -> Path:
    """Return a link to a folder, with a plain name, that ends with the process."""
    holder = Path(tempfile.mkdtemp(prefix="workbench-mlflow-"))
    atexit.register(shutil.rmtree, holder, ignore_errors=True)
    link = holder / "outputs"
    link.symlink_to(folder, target_is_directory=True)
    return link


def redact(address: str) -> str:
    """Return an address without user name, password, and secrets in its query."""
    return _SECRETS.sub(r"\1***", _CREDENTIALS.sub(r"\1***@", address))


def redact_text(text: str) -> str:
    """Return a text in which every address is without credentials."""
    return _SECRETS.sub(r"\1***", _WORD_WITH_CREDENTIALS.sub(r"\1***@", text))


def redacted_command(arguments: Sequence[str]) -> str:
    """Return the command line `workbench ARGUMENTS` to show and to store."""
    return shlex.join(["workbench", *map(redact, arguments)])
