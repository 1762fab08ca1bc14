"""Every way into, out of and through Spikeport, tried with every neuron.

The ways are the formats that are read, the formats that are written, and the backends. What came
out is docs/support.md: a cell's outcome is `yes`, or why not and what to do, in Spikeport's own
words.
"""

from __future__ import annotations

import ast
import functools
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import spikeport
from spikeport import api
from spikeport.toolchain import plugins
from spikeport.toolchain.checkers import golden
from spikeport.toolchain.checkers.integer_check import Integers, differences
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.simulation.backends import backend_class
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.support import hostile_seeds
from tests.support.hostile_seeds import KINDS
from tests.support.policy_files import state_dict, torch_bytes

NEURONS = ("sdn", "if", "snm", "mt", "dc", "lif", "leaky")
YES = "yes"


def tanh_units(folder: Path) -> None:
    """A state dict of tanh units."""
    (folder / "actor.pt").write_bytes(torch_bytes(state_dict((2, 3, 2), ("0", "2"))))


def proxy_target(folder: Path) -> None:
    """An actor of Proxy-Target."""
    from tests.support.spiking_files import actor

    (folder / "LIF_World-v4_0_actor.pt").write_bytes(torch_bytes(actor(span=1.0, plif=True)))


UNITS = {"activation": "tanh", "squash": "tanh"}
SEEDS: dict[str, hostile_seeds.Kind] = {
    "state dict": KINDS["state dict"],
    "state dict, tanh units": hostile_seeds.Kind(tanh_units, "actor.pt", options=UNITS),
    "safetensors": KINDS["safetensors"],
    "SB3 zip": KINDS["SB3 zip"],
    "RSL-RL": KINDS["RSL-RL"],
    "rl_games": KINDS["rl_games"],
    "CleanRL": KINDS["CleanRL"],
    "ONNX": KINDS["ONNX"],
    "TorchScript": KINDS["TorchScript, traced"],
    "torch.export": KINDS["torch.export"],
    "PopSAN": KINDS["PopSAN"],
    "Proxy-Target": hostile_seeds.Kind(proxy_target, "LIF_World-v4_0_actor.pt"),
    "SDDPG": KINDS["SDDPG weights"],
    "snnTorch Leaky": KINDS["snnTorch"],
    "NIR graph": KINDS["NIR graph"],
    "netx": KINDS["netx"],
}
EXPORTED = "NIR export"
IN = "in"
OUT = "out"
ON = "backend"


def cells() -> list[tuple[str, str, str]]:
    """(direction, format or backend, neuron) of every cell of docs/support.md."""
    rows = (
        [(IN, name) for name in (*SEEDS, EXPORTED)]
        + [(OUT, name) for name in plugins.names("exporters")]
        + [(ON, name) for name in plugins.names("backends")]
    )
    return [(direction, name, neuron) for direction, name in rows for neuron in NEURONS]


def outcome(direction: str, name: str, neuron: str) -> str:
    """Try one cell; `yes`, or why not and what to do."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            if direction == IN:
                _in(name, neuron, Path(folder))
            elif direction == OUT:
                api.export(exportable(neuron), name, Path(folder, "out"))
            else:
                _on(name, neuron)
        return YES
    except InputError as error:
        return words(error, neuron)


def words(error: InputError, neuron: str) -> str:
    """A refusal without the names of this example's file, layers and numbers."""
    text = str(error).removeprefix(f"{error.where}: ")
    for pattern, plain in (
        (r" \(got [^()]*(\([^()]*\)[^()]*)*\)", ""),
        (r"(carry relu only|graph for this neuron): (layer \d+ (is|has) [\w@]+(, )?)*", r"\1"),
        (rf"^(--neuron )?{neuron}\b", "this neuron"),
        (rf"no node for {neuron}@1", "no node for this neuron"),
        ("^this neuron neurons", "these neurons"),
    ):
        text = re.sub(pattern, plain, text)
    return " ".join(text.split())


@functools.cache
def policy(name: str) -> Any:
    """The policy of a small checkpoint of this format."""
    kind = SEEDS[name]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        kind.make(folder)
        if kind.actions is None:
            bounds = {}
        else:
            bounds = {"action_low": [-1.0] * kind.actions, "action_high": [1.0] * kind.actions}
        return spikeport.load_policy(
            folder / (kind.opened or kind.target), **bounds, **dict(kind.options)
        )


def _in(name: str, neuron: str, folder: Path) -> None:
    """Read, convert with this neuron, decide; or export and read back."""
    if name == EXPORTED:
        given = exportable(neuron)
        api.export(given, "nir", folder / "a.nir")
        spikeport.save(given, folder / "a.spk")
        spikeport.save(api.load_nir(folder / "a.nir"), folder / "b.spk")
        assert (folder / "a.spk").read_bytes() == (folder / "b.spk").read_bytes()
        return
    states = np.random.default_rng(0).normal(size=(200, policy(name).observation.size))
    artifact = spikeport.convert(policy(name), observations=states, neuron=neuron)
    assert artifact.network.neuron == f"{neuron}@1"
    with ReferenceBackend(artifact) as backend:
        assert np.isfinite(backend.trace(states[:5], np.zeros(5, np.int64)).actions).all()


@functools.cache
def example(neuron: str) -> golden.Golden:
    """A recorded network of this neuron with a hidden layer."""
    return golden.read(
        next(
            name
            for name in golden.names()
            if name.startswith(f"{neuron}-") and "no-hidden" not in name
        )
    )


def exportable(neuron: str) -> Any:
    """What is exported.

    The recorded network; of lif one that was converted, since NIR has decaying membranes only.
    """
    if neuron != "lif":
        return example(neuron).artifact
    return spikeport.convert(
        policy("NIR graph"), observations=np.random.default_rng(0).normal(size=(200, 3))
    )


def _on(name: str, neuron: str) -> None:
    """The integers that Lava recorded, on this backend."""
    case = example(neuron)
    with backend_class(name)(case.artifact) as backend:
        trace = backend.trace(case.observations, case.flags)
    saturations = np.array([layer.saturations for layer in trace.census.layers])
    problems, _ = differences(
        case,
        Integers(
            [layer.payloads for layer in trace.layers],
            [layer.states for layer in trace.layers],
            saturations,
        ),
    )
    assert not problems, problems


def proofs() -> dict[tuple[str, str], list[str]]:
    """The tests that prove a row in depth, as file::name, by direction and format.

    They carry `@pytest.mark.proves(direction=..., format=...)`, with one format or a list of them.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for path in sorted(Path(__file__).parents[1].rglob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.proves":
                    facts = {word.arg: ast.literal_eval(word.value) for word in mark.keywords}
                    formats = facts["format"]
                    for name in [formats] if isinstance(formats, str) else formats:
                        tests = found.setdefault((facts["direction"], name), [])
                        tests.append(f"{path.name}::{node.name}")
    return found
