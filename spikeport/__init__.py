"""Spikeport: a trained robot policy in, an integer spiking network out, proven and priced.

    import spikeport

    policy = spikeport.load_policy("td3.zip", env="HalfCheetah-v5")
    artifact = spikeport.convert(policy, env="HalfCheetah-v5")
    spikeport.save(artifact, "policy.spk")
    controller = spikeport.load("policy.spk").controller(backend="fast")
    controller.reset()
    action = controller.decide(observation)

Names are imported when first used, so `import spikeport` is quick and `spikeport doctor` runs where
a package is missing.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikeport.api import ConversionOptions as ConversionOptions
    from spikeport.api import Tuned as Tuned
    from spikeport.api import TuningOptions as TuningOptions
    from spikeport.api import convert as convert
    from spikeport.api import diagnose as diagnose
    from spikeport.api import export as export
    from spikeport.api import load_nir as load_nir
    from spikeport.api import simulate as simulate
    from spikeport.api import train as train
    from spikeport.api import tune as tune
    from spikeport.api import verify as verify
    from spikeport.artifact_loading import load as load
    from spikeport.energy_estimates import assess as assess
    from spikeport.energy_estimates import estimate_energy as estimate_energy
    from spikeport.policy_loading import load_policy as load_policy
    from spikeport.toolchain.artifact.artifact import Artifact as Artifact
    from spikeport.toolchain.artifact.artifact_file import save as save
    from spikeport.toolchain.checkers import CheckReport as CheckReport
    from spikeport.toolchain.checkers import check_artifact as check_artifact
    from spikeport.toolchain.checkers import check_backend as check_backend
    from spikeport.toolchain.checkers import check_policy as check_policy
    from spikeport.toolchain.diagnosis import Diagnosis as Diagnosis
    from spikeport.toolchain.errors import BackendError as BackendError
    from spikeport.toolchain.errors import CheckFailed as CheckFailed
    from spikeport.toolchain.errors import InputError as InputError
    from spikeport.toolchain.errors import SpikeportError as SpikeportError
    from spikeport.toolchain.policies.ann_policy import Policy as Policy
    from spikeport.toolchain.policies.leaky_policy import LeakyPolicy as LeakyPolicy
    from spikeport.toolchain.policies.spiking_policy import SpikingPolicy as SpikingPolicy
    from spikeport.toolchain.simulation.closed_loop import Simulation as Simulation
    from spikeport.toolchain.simulation.controller import Controller as Controller
    from spikeport.toolchain.simulation.verification import Verification as Verification

__version__ = "0.2.0"

_HOMES = {
    "ConversionOptions": "spikeport.api",
    "assess": "spikeport.api",
    "convert": "spikeport.api",
    "estimate_energy": "spikeport.api",
    "export": "spikeport.api",  # not asked for: the package below has the name
    "load_nir": "spikeport.api",
    "load_policy": "spikeport.api",
    "train": "spikeport.api",
    "tune": "spikeport.api",
    "TuningOptions": "spikeport.api",
    "Tuned": "spikeport.api",
    "Artifact": "spikeport.toolchain.artifact.artifact",
    "load": "spikeport.artifact_loading",
    "save": "spikeport.toolchain.artifact.artifact_file",
    "CheckReport": "spikeport.toolchain.checkers",
    "check_artifact": "spikeport.toolchain.checkers",
    "check_backend": "spikeport.toolchain.checkers",
    "check_policy": "spikeport.toolchain.checkers",
    "Diagnosis": "spikeport.toolchain.diagnosis",
    "diagnose": "spikeport.api",
    "BackendError": "spikeport.toolchain.errors",
    "CheckFailed": "spikeport.toolchain.errors",
    "InputError": "spikeport.toolchain.errors",
    "SpikeportError": "spikeport.toolchain.errors",
    "Policy": "spikeport.toolchain.policies.ann_policy",
    "LeakyPolicy": "spikeport.toolchain.policies.leaky_policy",
    "SpikingPolicy": "spikeport.toolchain.policies.spiking_policy",
    "Simulation": "spikeport.toolchain.simulation.closed_loop",
    "simulate": "spikeport.api",
    "Controller": "spikeport.toolchain.simulation.controller",
    "Verification": "spikeport.toolchain.simulation.verification",
    "verify": "spikeport.api",
}
__all__ = ["__version__", *_HOMES]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll]


class _CallablePackage(ModuleType):
    """The package of exporters; a call is `spikeport.api.export`.

    So `spikeport.export(artifact, "onnx", "policy.onnx")` works whether or not something has
    imported `spikeport.export.onnx` before.
    """

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return importlib.import_module("spikeport.api").export(*arguments, **options)


importlib.import_module("spikeport.export").__class__ = _CallablePackage


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'spikeport' has no attribute {name!r}")
    home = importlib.import_module(_HOMES[name])
    value = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
