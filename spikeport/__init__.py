"""Spikeport: a trained robot policy in, an integer spiking network out, proven, simulated and
priced.

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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikeport.api import ConversionOptions as ConversionOptions
    from spikeport.api import Tuned as Tuned
    from spikeport.api import TuningOptions as TuningOptions
    from spikeport.api import assess as assess
    from spikeport.api import convert as convert
    from spikeport.api import estimate_energy as estimate_energy
    from spikeport.api import export as export
    from spikeport.api import load_nir as load_nir
    from spikeport.api import load_policy as load_policy
    from spikeport.api import train as train
    from spikeport.api import tune as tune
    from toolchain.artifact import Artifact as Artifact
    from toolchain.artifact_file import load as load
    from toolchain.artifact_file import save as save
    from toolchain.checkers import CheckReport as CheckReport
    from toolchain.checkers import check_artifact as check_artifact
    from toolchain.checkers import check_backend as check_backend
    from toolchain.checkers import check_policy as check_policy
    from toolchain.diagnosis import Diagnosis as Diagnosis
    from toolchain.diagnosis import diagnose as diagnose
    from toolchain.errors import BackendError as BackendError
    from toolchain.errors import CheckFailed as CheckFailed
    from toolchain.errors import InputError as InputError
    from toolchain.errors import SpikeportError as SpikeportError
    from toolchain.policies.leaky_policy import LeakyPolicy as LeakyPolicy
    from toolchain.policies.policy import Policy as Policy
    from toolchain.policies.spiking_policy import SpikingPolicy as SpikingPolicy
    from toolchain.simulation.closed_loop import Simulation as Simulation
    from toolchain.simulation.closed_loop import simulate as simulate
    from toolchain.simulation.controller import Controller as Controller
    from toolchain.simulation.verification import Verification as Verification
    from toolchain.simulation.verification import verify as verify

__version__ = "0.1.0"

_HOMES = {
    "ConversionOptions": "spikeport.api",
    "assess": "spikeport.api",
    "convert": "spikeport.api",
    "estimate_energy": "spikeport.api",
    "export": "spikeport.api",
    "load_nir": "spikeport.api",
    "load_policy": "spikeport.api",
    "train": "spikeport.api",
    "tune": "spikeport.api",
    "TuningOptions": "spikeport.api",
    "Tuned": "spikeport.api",
    "Artifact": "toolchain.artifact",
    "load": "toolchain.artifact_file",
    "save": "toolchain.artifact_file",
    "CheckReport": "toolchain.checkers",
    "check_artifact": "toolchain.checkers",
    "check_backend": "toolchain.checkers",
    "check_policy": "toolchain.checkers",
    "Diagnosis": "toolchain.diagnosis",
    "diagnose": "toolchain.diagnosis",
    "BackendError": "toolchain.errors",
    "CheckFailed": "toolchain.errors",
    "InputError": "toolchain.errors",
    "SpikeportError": "toolchain.errors",
    "Policy": "toolchain.policies.policy",
    "LeakyPolicy": "toolchain.policies.leaky_policy",
    "SpikingPolicy": "toolchain.policies.spiking_policy",
    "Simulation": "toolchain.simulation.closed_loop",
    "simulate": "toolchain.simulation.closed_loop",
    "Controller": "toolchain.simulation.controller",
    "Verification": "toolchain.simulation.verification",
    "verify": "toolchain.simulation.verification",
}
__all__ = ["__version__", *_HOMES]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'spikeport' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
