"""Where a format does not carry a neuron, the refusal names formats that do.

Whoever follows it succeeds.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spikeport import api
from spikeport.export.formats import carried, ways_out
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.neurons import HIDDEN_NEURONS
from tests.support.networks import leaky_artifact, random_artifact


def example(neuron: str) -> Artifact:
    if neuron == "leaky@1":
        return leaky_artifact(3)
    return random_artifact(3, neuron=neuron, timesteps=4)


REFUSED = [
    (name, neuron)
    for name, neurons in carried().items()
    for neuron in HIDDEN_NEURONS
    if neuron not in neurons
]


def test_every_format_is_in_the_table() -> None:
    assert (
        set(carried()) == set(api.FORMATS)
        and ("nir", "leaky@1") in REFUSED
        and ("netx", "sdn@1") in REFUSED
    )


@pytest.mark.parametrize(("name", "neuron"), REFUSED)
def test_a_refusal_names_ways_that_work(name: str, neuron: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        api.export(example(neuron), name, tmp_path / "refused")
    named = re.findall(r"--to (\w+)", caught.value.fix)
    assert named and name not in named and "--backend" not in str(caught.value)
    for other in named:
        api.export(example(neuron), other, tmp_path / other)
    for short in re.findall(r"--neuron (\w+)", caught.value.fix):
        api.export(example(f"{short}@1"), name, tmp_path / "converted")
        assert neuron not in ("leaky@1", "lif@1"), "a spiking checkpoint keeps its neurons"


def test_a_neuron_that_nothing_carries() -> None:
    assert ways_out("izh@1", "onnx") == ("convert with --neuron sdn",) and ways_out(
        "izh@1", "netx"
    ) == ("reconvert the policy with another --neuron",)
