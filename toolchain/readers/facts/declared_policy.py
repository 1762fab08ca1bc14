"""A spiking network whose file says nothing of time, encoder and decoder, as a policy.

Its sidecar has declared them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.contracts import ObservationContract
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.policies.ann_policy import Provenance
from spikeport.toolchain.policies.spiking_policy import SpikingLayer, SpikingPolicy
from spikeport.toolchain.readers.facts.action_reader import plain_action
from spikeport.toolchain.readers.facts.sidecar import Sidecar
from spikeport.toolchain.readers.facts.spiking_facts import refuse_activation, with_sidecar_limit
from spikeport.toolchain.readers.reading_options import ReadOptions


def refuse_rates_options(options: ReadOptions, network: str, where: str) -> None:
    """Raise InputError for options that a network of rates has no use for.

    Args:
        options: What the caller says.
        network: The kind of network, for errors: `NIR`, `netx`.
        where: The file, for errors.
    """
    refuse_activation(options, where)
    if options.normalizer is not None and str(options.normalizer) != "none":
        what = f"a {network} network takes rates, no normalised observation"
        raise InputError(
            where, what, got=f"--normalizer {options.normalizer}", fix="leave --normalizer out"
        )


def declared_policy(
    layers: Sequence[SpikingLayer],
    decoder: tuple[NDArray[np.floating], NDArray[np.floating]],
    sidecar: Sidecar,
    options: ReadOptions,
    content: FileContent,
    *,
    kind: tuple[str, str],
    declares: str,
) -> SpikingPolicy:
    """Return the policy of a network and what its sidecar declares.

    Args:
        layers: In order.
        decoder: Weight [act, group of neurons] and bias [act].
        sidecar: Complete; its reader has checked it.
        options: What the caller says.
        content: The checkpoint.
        kind: Format and family of the provenance.
        declares: What the sidecar said, for the assumptions.
    """
    weight, bias = decoder
    assumptions = [f"{sidecar.file} declares {declares}"]
    action = plain_action(
        len(bias), with_sidecar_limit(options, sidecar), "", None, None, assumptions, content.name
    )
    return SpikingPolicy(
        tuple(layers),
        sidecar.timesteps or 0,
        ObservationContract(layers[0].inputs),
        action,
        Provenance(content.name, content.sha256, *kind, tuple(assumptions)),
        weight.astype(np.float32),
        bias.astype(np.float32),
        transform=sidecar.observation or "none",
        environment=sidecar.environment or "",
    )
