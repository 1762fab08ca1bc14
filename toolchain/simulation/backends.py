"""The backends by name: those of the project and those that installed packages add.

Classes are imported when asked for: Lava's take seconds and may be absent.
"""

from __future__ import annotations

from spikeport.toolchain import plugins
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError, did_you_mean
from spikeport.toolchain.simulation.backend import Backend

BACKENDS = tuple(plugins.TABLES["backends"])  # the project's own


def backend_class(name: str) -> type[Backend]:
    """The class behind a backend's name. Raises InputError for an unknown name."""
    known = plugins.names("backends")
    if name not in known:
        raise InputError(
            "backend",
            "unknown backend",
            got=name,
            limit=", ".join(known),
            fix=did_you_mean(name, known) or "--backend fast",
        )
    return plugins.find("backends", name, "backend")


def open_backend(name: str, artifact: Artifact, rows: int = 1) -> Backend:
    """A backend at rest.

    Args:
        name: One of the names that `backend_class` knows.
        artifact: What to execute.
        rows: Environments.

    Returns:
        The backend; close it, or use it in a `with` statement.

    Raises:
        InputError: For an unknown name or too many rows.
        BackendError: Where the backend is not installed.
    """
    return backend_class(name)(artifact, rows)
