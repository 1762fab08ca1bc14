"""Every backend against the oracle on networks wider and longer than hypothesis makes."""

from __future__ import annotations

import numpy as np
import pytest

from spikeport.toolchain.neurons.differential_coding import ALLOWED_TIMESTEPS
from tests.support.conformance import difference, open_or_skip
from tests.support.conformance_cases import made
from tests.support.strategies import NEURONS, Shape


def some_timesteps(rng: np.random.Generator, neuron: str) -> int:
    """Timesteps that a neuron may have; one for those without a window."""
    if neuron in ("sdn@1", "leaky@1"):
        return 1
    if neuron == "dc@1":
        return int(rng.choice(ALLOWED_TIMESTEPS))
    return int(rng.integers(1, 33))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["reference", "fast", "lava-direct", "onnx"])
def test_many_more_networks(backend: str) -> None:
    """Wider and longer than the shrunken examples above."""
    rng = np.random.default_rng(20)
    for seed in range(400):
        neuron = str(rng.choice(NEURONS))
        rate = neuron not in ("sdn@1", "leaky@1")
        leaky = neuron == "leaky@1"
        shape = Shape(
            neuron=neuron,
            widths=tuple(rng.integers(1, 33, int(rng.integers(2 + leaky, 6))).tolist()),
            activations=(
                ("relu",) if rate else tuple(rng.choice(["relu", "identity", "tanh"], 3).tolist())
            ),
            timesteps=some_timesteps(rng, neuron),
            alpha=int(rng.integers(65)) if rate else 0,
            resync_every=int(rng.choice([0, 0, 3])),
            size=str(rng.choice(["tiny", "usual", "huge"])),
            trigger=1 if rate or leaky else int(rng.integers(1, 5)),
            late=rate and bool(rng.integers(2)),
        )
        wanted = made(shape, seed, 30)
        with open_or_skip(backend, wanted.artifact) as opened:
            assert not difference(
                wanted.expected, opened.trace(wanted.observations, wanted.flags)
            ), (shape, seed)
