"""The backends by name (toolchain/plugins.py). Lava's take seconds to import and may be absent."""

from __future__ import annotations

from spikeport.toolchain import plugins
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.simulation.backend import Backend

BACKENDS = tuple(plugins.TABLES["backends"])  # the project's own; `plugins.names` has all


def backend_class(name: str) -> type[Backend]:
    """The class behind a backend's name. Raises InputError for an unknown name."""
    return plugins.find(
        "backends", name, where="backend", what="unknown backend", usual="--backend fast"
    )


def open_backend(name: str, artifact: Artifact, rows: int = 1) -> Backend:
    """Open a backend with `rows` environments at rest.

    Raises:
        InputError: For an unknown name or too many rows.
        BackendError: Where the backend is not installed.
    """
    return backend_class(name)(artifact, rows)
