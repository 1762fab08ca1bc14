"""`--to lava`.

The folder runs by itself, finds what was changed, and carries the host's side exactly.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.export.host_description import describe_host
from spikeport.export.lava import folder, lava_import
from spikeport.export.lava.host import Host
from spikeport.export.lava.network_description import describe
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.host.host_state import HostState
from spikeport.toolchain.neurons import START
from spikeport.toolchain.simulation.reference import ReferenceBackend, probe_trace
from tests.support.networks import observation_stream, random_artifact
from tests.support.strategies import Shape, build

ROOT = Path(__file__).resolve().parents[2]
needs_lava = pytest.mark.skipif(
    not lava_import.lava_available(),
    reason=f"{lava_import.lava_problem()}: `{lava_import.install_command()}`",
)

KINDS: dict[str, dict[str, Any]] = {
    "sdn table": {
        "activation": "tanh",
        "resync_every": 7,
        "time_feature": True,
        "normalised": True,
    },
    "if": {"neuron": "if@1", "timesteps": 5, "alpha": 32, "squash": "none"},
    "one layer": {"widths": (4, 2)},
}


def python(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python without PYTHONPATH in another folder."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def export_lava(artifact: Artifact, path: Path) -> None:
    folder.export_lava(artifact, path, lambda: probe_trace(artifact))


def change(file: Path, name: str, place: tuple[int, ...], by: int) -> None:
    with np.load(file) as archive:
        arrays: dict[str, Any] = {key: archive[key] for key in archive.files}
    arrays[name][place] += by
    np.savez_compressed(file, **arrays)


@needs_lava
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.proves(direction="out", format="lava")
def test_folder_replays_its_probe_from_anywhere(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    export_lava(random_artifact(4, **KINDS[kind]), target)
    done = python(elsewhere, str(target / "run.py"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "exact" and not done.stderr
    assert not list(elsewhere.iterdir())
    assert {path.name for path in target.iterdir()} == {
        "README.md",
        "network.json",
        "network.npz",
        "probe.npz",
        "run.py",
        "spiking_policy",
    }


@needs_lava
@pytest.mark.parametrize(
    ("file", "name", "place", "told"),
    [
        ("network.npz", "layers.0.weights", None, "integers DIFFER, first at"),
        ("network.npz", "layers.2.bias", (0,), "accumulators of the readout:"),
        ("network.npz", "encoder.scale", (0,), "inputs encoded by host.py:"),
        ("network.npz", "action.scale", (1,), "actions decoded by host.py: DIFFERENT"),
        ("probe.npz", "readout", (3, 1), "DIFFER, first at (3, 1)"),
    ],
)
def test_a_changed_number_is_found(
    file: str, name: str, place: tuple[int, ...] | None, told: str, tmp_path: Path
) -> None:
    artifact = random_artifact(4)
    target = tmp_path / "out"
    export_lava(artifact, target)
    if place is None:  # a weight that matters: of a neuron that speaks
        speaks = int(
            np.flatnonzero(
                (
                    ReferenceBackend(artifact)
                    .trace(artifact.probe.observations, artifact.probe.flags)
                    .layers[0]
                    .payloads
                    != 0
                ).any((0, 1))
            )[0]
        )
        place = (speaks, 0)
    change(target / file, name, place, 9)
    done = python(tmp_path, str(target / "run.py"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert told in done.stdout and done.stdout.splitlines()[-1].startswith("DIFFERENT")


@needs_lava
def test_observations_of_ones_own(tmp_path: Path) -> None:
    artifact = random_artifact(4, **KINDS["sdn table"])
    target = tmp_path / "out"
    export_lava(artifact, target)
    observations = observation_stream(np.random.default_rng(3), 9, artifact.observation.size)
    code = f"""
import json, sys
sys.path.insert(0, {str(target)!r})
from spiking_policy.policy import SpikingPolicy
observations = {observations.tolist()!r}
with SpikingPolicy() as policy:
    policy.reset()
    print(json.dumps([policy.decide(observation).tolist() for observation in observations]))
packages = {{name.split(".")[0] for name in sys.modules}}
assert not packages & {{"toolchain", "export", "spikeport", "lava"}}
"""
    done = python(tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    backend = ReferenceBackend(artifact)
    assert json.loads(done.stdout) == [
        backend.decide(observation[None])[0].tolist() for observation in observations
    ]


@needs_lava
def test_a_choice_is_an_integer(tmp_path: Path) -> None:
    """As `controller.decide` gives it, in the folder's own words too."""
    artifact = build(Shape(widths=(3, 5, 4), squash="argmax"), 4)
    target = tmp_path / "out"
    export_lava(artifact, target)
    assert (
        "3 float64 numbers in, the number of one of 4 choices out"
        in (target / "README.md").read_text()
    )
    observations = observation_stream(np.random.default_rng(3), 6, 3)
    code = f"""
import json, sys
sys.path.insert(0, {str(target)!r})
import numpy as np
from spiking_policy.policy import SpikingPolicy
with SpikingPolicy() as policy:
    policy.reset()
    actions = [policy.decide(observation) for observation in {observations.tolist()!r}]
assert all(isinstance(action, np.int64) for action in actions), actions
print(json.dumps([int(action) for action in actions]))
"""
    done = python(tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    with artifact.controller("reference") as controller:
        assert json.loads(done.stdout) == [
            controller.decide(observation) for observation in observations
        ]


@needs_lava
def test_what_cannot_run_ends_with_a_reason(tmp_path: Path) -> None:
    target = tmp_path / "out"
    export_lava(random_artifact(4), target)
    done = python(tmp_path, str(target / "run.py"), "--time-limit", "0.01")
    assert (
        done.returncode == 2
        and "run.py: no answer from the Lava runtime in time" in done.stderr
        and "limit 0.01 s" in done.stderr
    )
    done = python(
        tmp_path,
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {str(target / 'spiking_policy')!r}); import lava_import;"
        " lava_import.import_lava()",
    )
    assert "--ignore-requires-python lava-nc==0.10.0`" in done.stderr


def test_code_is_constant_and_knows_nothing_of_spikeport(tmp_path: Path) -> None:
    for number, kind in enumerate(KINDS):
        export_lava(random_artifact(number, **KINDS[kind]), tmp_path / str(number))
    here = ROOT / "export" / "lava"
    files = sorted(path.relative_to(tmp_path / "0") for path in (tmp_path / "0").rglob("*.py"))
    for file in files:
        content = (tmp_path / "0" / file).read_bytes()
        assert all(
            (tmp_path / str(number) / file).read_bytes() == content for number in range(len(KINDS))
        )
        assert (
            b"import toolchain" not in content
            and b"from toolchain" not in content
            and b"from export" not in content
        )
        if file.name != "run.py":
            assert content == (here / file.relative_to("spiking_policy")).read_bytes()
    processes = [path.relative_to(here) for path in (here / "processes").rglob("*.py")]
    assert {Path("spiking_policy") / path for path in processes} <= set(files)
    for package in (here / "processes").iterdir():  # Lava executes every .py file beside a process
        if package.is_dir() and package.name != "__pycache__":
            assert {path.name for path in package.glob("*.py")} == {"__init__.py", "process.py"}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_host_encodes_and_decodes_the_same_bits(kind: str, seed: int) -> None:
    artifact = random_artifact(seed, **KINDS[kind])
    rng = np.random.default_rng(seed)
    observations = observation_stream(rng, 150, artifact.observation.size)
    flags = rng.choice(3, 150, p=(0.8, 0.1, 0.1))
    description, _ = describe(artifact.network)
    facts, arrays = describe_host(artifact)
    host = Host(description | {"host": facts}, arrays)
    state = HostState(artifact, 1)
    everyone = np.ones(1, bool)
    trace = ReferenceBackend(artifact).trace(observations, flags)
    for index, (observation, flag) in enumerate(zip(observations, flags, strict=True)):
        if flag == 1:
            host.reset()
            state.reset(None)
        elif flag == 2:
            host.resync()
            state.resync(None)
        payloads, control = host.encode(observation)
        assert [control] == state.encode(observation[None], everyone)[0].tolist()
        np.testing.assert_array_equal(payloads, trace.inputs[index])
        np.testing.assert_array_equal(
            host.decode(trace.layers[-1].states[index, -1]), trace.actions[index]
        )
        assert index or control == START
    with pytest.raises(ValueError, match="not usable"):
        host.encode(np.full(artifact.observation.size, np.nan))


def with_unknown_neuron(artifact: Artifact) -> Artifact:
    layers = (
        dataclasses.replace(artifact.network.layers[0], neuron="lif@9"),
        *artifact.network.layers[1:],
    )
    return dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, layers=layers)
    )


def test_paths_that_cannot_be_used(tmp_path: Path) -> None:
    artifact = random_artifact(0)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    (tmp_path / "file").write_text("keep")
    for name in ("full", "file"):
        with pytest.raises(
            InputError, match="is not an empty folder.*Fix: give -o a path that does not exist"
        ):
            export_lava(artifact, tmp_path / name)
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        export_lava(artifact, tmp_path / "absent" / "out")
    with pytest.raises(InputError, match="no Lava process for this neuron .got lif@9"):
        export_lava(with_unknown_neuron(artifact), tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"full", "file"}
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    export_lava(artifact, tmp_path / "link")
    assert (tmp_path / "empty" / "run.py").exists() and (tmp_path / "link").is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"full", "file", "empty", "link"}


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        folder,
        "readme",
        lambda artifact: (_ for _ in ()).throw(OSError(28, "No space left on device")),
    )
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        export_lava(random_artifact(0), tmp_path / "out")
    assert not list(tmp_path.iterdir())
