"""The backends by name.

Classes are imported when asked for: Lava's take seconds and may be absent.
"""

from __future__ import annotations

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError, did_you_mean
from spikeport.toolchain.simulation.backend import Backend

BACKENDS = ("reference", "fast", "lava-direct", "lava", "onnx")


def backend_class(name: str) -> type[Backend]:
    """The class behind a backend's name. Raises InputError for an unknown name."""
    if name == "reference":
        from spikeport.toolchain.simulation.reference import ReferenceBackend

        return ReferenceBackend
    if name == "fast":
        from spikeport.toolchain.simulation.fast.fast_backend import FastBackend

        return FastBackend
    if name == "lava-direct":
        from spikeport.toolchain.simulation.lava.direct import LavaDirectBackend

        return LavaDirectBackend
    if name == "lava":
        from spikeport.toolchain.simulation.lava import LavaBackend

        return LavaBackend
    if name == "onnx":
        from spikeport.toolchain.simulation.onnx import OnnxBackend

        return OnnxBackend
    raise InputError(
        "backend",
        "unknown backend",
        got=name,
        limit=", ".join(BACKENDS),
        fix=did_you_mean(name, BACKENDS) or "--backend fast",
    )


def open_backend(name: str, artifact: Artifact, rows: int = 1) -> Backend:
    """A backend with `rows` environments at rest.

    Raises InputError for an unknown name or too many rows, BackendError where the backend is not
    installed.
    """
    return backend_class(name)(artifact, rows)
