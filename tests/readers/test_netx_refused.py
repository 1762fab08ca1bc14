"""Networks of lava-dl that are refused: blocks, neurons, declarations, damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.toolchain.errors import InputError
from tests.support.netx_files import SIDECAR, network, read, written

pytest.importorskip("h5py")

Changes = dict[str, Any]

BLOCKS: dict[str, tuple[Changes, str]] = {
    "convolution": (
        {"type": b"conv"},
        r"layer/2: type conv is not read, input, flatten, dense are",
    ),
    "recurrent": ({"type": b"dense_rec"}, r"layer/2: type dense_rec is not read"),
    "recurrent weights": ({"weight_rec": np.zeros((4, 4))}, r"layer/2: recurrent weights"),
    "complex": (
        {"weight": {"real": np.zeros(2), "imag": np.zeros(2)}},
        r"layer/2: complex weights",
    ),
    "delays": (
        {"delay": np.array([0.0, 3, 1, 0])},
        r"layer/2: 2 synaptic delays are not 0 but up to 3 steps",
    ),
    "fraction": (
        {"weight": np.full((4, 8), 0.5)},
        r"layer/2: weight has values that are no whole numbers of 32 bits",
    ),
    "not finite": (
        {"weight": np.full((4, 8), np.nan)},
        r"layer/2: weight has values that are no whole numbers",
    ),
    "zero": (
        {"weight": np.zeros((4, 8))},
        r"layer/2: all weights are zero, which netx cannot load",
    ),
    "large": (
        {"weight": np.full((4, 8), -300.0)},
        r"layer/2: weights are -300..-300, -256..254 expected",
    ),
    "clipped by netx": (
        {"weight": np.full((4, 8), -64.0)},
        r"layer/2: weights -64..-64 are none above zero, and netx clips",
    ),
    "width": (
        {"weight": np.ones((4, 7)), "inFeatures": 7},
        r"layer/2: takes 7 inputs where 8 arrive",
    ),
    "rows": ({"shape": np.array([5])}, r"layer/2: weight has shape \(4, 8\) for 5 neurons"),
    "features": ({"outFeatures": 9}, r"layer/2: outFeatures is 9, its weights have 4"),
    "text": ({"weight": "none"}, r"layer/2: weight is no array of numbers"),
    "bias shape": ({"bias": np.zeros(3)}, r"layer/2: bias has shape \(3,\) for 4 neurons"),
    "bias range": (
        {"bias": np.full(4, -5000.0)},
        r"layer/2: biases reach 5000, -4095..4095 expected",
    ),
    "unknown": ({"weigth": np.zeros(3)}, r"layer/2: unknown entry weigth did you mean 'weight'\?"),
}

NEURONS: dict[str, tuple[Changes, str]] = {
    "sigma-delta": ({"type": "SDNN"}, r"layer/2: neurons of type SDNN, CUBA or LOIHI expected"),
    "refractory": (
        {"refDelay": 3},
        r"layer/2: refDelay is 3: a refractory period that netx leaves out",
    ),
    "graded": (
        {"gradedSpike": True},
        r"layer/2: gradedSpike is 1: graded spikes, which netx leaves out",
    ),
    "exponent": ({"wgtExp": 2}, r"layer/2: wgtExp is 2: a weight exponent that netx leaves out"),
    "noise": ({"noiseExp": 2}, r"layer/2: unknown entry neuron/noiseExp"),
    "integrator": ({"iDecay": 0}, r"layer/2: iDecay is 0, 1..4096 expected"),
    "decays": (
        {"vDecay": np.array([1, 2, 3, 4])},
        r"layer/2: vDecay has 4 values, one per population expected",
    ),
    "threshold": ({"vThMant": 2**17}, r"layer/2: vThMant is 131072, 1..131071 expected"),
}


@pytest.mark.parametrize("name", [*BLOCKS, *NEURONS])
def test_refused_block(name: str, tmp_path: Path) -> None:
    blocks = network(np.random.default_rng(0))
    changes, message = BLOCKS.get(name) or NEURONS[name]
    (blocks[2] if name in BLOCKS else blocks[2]["neuron"]).update(changes)
    with pytest.raises(InputError, match=message):
        read(written(tmp_path / "a.net", blocks))


def test_all_problems_at_once(tmp_path: Path) -> None:
    blocks = network(np.random.default_rng(0))
    blocks[0] |= {"neuron": {"type": "CUBA"}}
    blocks[1] |= {"delay": np.ones(8)}
    blocks[1]["neuron"] |= {"refDelay": 2, "vDecay": 5000}
    blocks[2] = {"type": b"pool", "shape": np.array([4])}
    wanted = (
        r"a.net: 5 problems: layer/0: the input block has neurons of its own, which netx leaves"
        r" unconnected; layer/1: 8 synaptic delays .*; "
        r"layer/1: refDelay is 2.*; layer/1: vDecay is 5000, 0..4096 expected; layer/2: type pool"
        r" is not read.*slayer.block.cuba.Dense"
    )
    with pytest.raises(InputError, match=wanted):
        read(written(tmp_path / "a.net", blocks))


DECLARATIONS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "nothing": (
        {},
        {"squash": None},
        r"6 problems: timesteps is not declared; encoder is not declared;"
        r" observation is not declared; the squash .* is not said .*;"
        r" netx.state is not declared \(reset\);"
        r" netx.decoder is not declared \(rate, or \{weight, bias\}\)\."
        r".*Fix: declare them in a.spikeport.json",
    ),
    "key": (
        SIDECAR | {"netx": {"state": "reset", "decoder": "rate", "decode": 1}},
        {},
        r"unknown netx key 'decode' did you mean 'decoder'",
    ),
    "state": (
        SIDECAR | {"netx": {"state": "kept", "decoder": "rate"}},
        {},
        r"netx.state is kept: only reset",
    ),
    "encoder": (
        SIDECAR | {"encoder": "population"},
        {},
        r"encoder population, observation none: a graph takes rate-coded observations",
    ),
    "affine": (
        SIDECAR | {"netx": {"state": "reset", "decoder": "affine"}},
        {},
        r"netx.decoder is affine, but the file ends in neurons",
    ),
    "decoder": (
        SIDECAR | {"netx": {"state": "reset", "decoder": "sum"}},
        {},
        r"netx.decoder is neither rate nor an object",
    ),
    "sizes": (
        SIDECAR | {"netx": {"state": "reset", "decoder": {"weight": [[1, 2, 3]], "bias": [0]}}},
        {},
        r"1 rows of 3 weights and 1 biases for 4 output",
    ),
    "no object": (SIDECAR | {"netx": []}, {}, r"netx is a list, an object expected"),
    "neuron": (
        SIDECAR | {"neuron": "cuba"},
        {},
        r"neuron is 'cuba', known are lif, clif, dn, plif",
    ),
    "normalizer": (
        SIDECAR,
        {"normalizer": "x.pkl"},
        r"a netx network takes rates, no normalised observation",
    ),
    "activation": (
        SIDECAR,
        {"activation": "relu"},
        r"a spiking checkpoint has neurons, no activation",
    ),
}


@pytest.mark.parametrize("name", DECLARATIONS)
def test_what_must_be_declared(name: str, tmp_path: Path) -> None:
    sidecar, options, message = DECLARATIONS[name]
    with pytest.raises(InputError, match=message):
        read(written(tmp_path / "a.net", network(np.random.default_rng(0)), sidecar), **options)


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_damage(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Bytes overwritten or cut off.

    A policy or an InputError that names the file, never another exception.
    """
    path = written(tmp_path_factory.mktemp("netx") / "a.net", network(np.random.default_rng(0)))
    blob = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del blob[data.draw(st.integers(8, len(blob) - 1)) :]
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(8, max(8, len(blob) - 1)))
        blob[place : place + 1] = bytes([data.draw(st.integers(0, 255))])
    path.write_bytes(blob)
    try:
        read(path)
    except InputError as error:
        assert "a.net" in str(error)
