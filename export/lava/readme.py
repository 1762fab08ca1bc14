"""The README.md of an exported folder."""

from __future__ import annotations

from spikeport.export.lava.lava_import import NEEDS, REQUIREMENT
from spikeport.toolchain.artifact.artifact import Artifact

TEXT = """# A spiking policy for Lava

{summary}

## Run it

Python 3.10 or newer on Linux, numpy and lava-nc; nothing else, Spikeport included, is needed:

    pip install {needs}
    pip install --no-deps --ignore-requires-python {requirement}
    python run.py

`run.py` replays {decisions} recorded decisions in Lava's real runtime on the CPU and compares every
payload of every layer, and what the host decodes, with recorded integers. Exit code 0: all are
equal; 1: something differs; 2: it could not be run (the reason is printed). It works from any
folder and leaves nothing in it. Lava runs in supervised processes of its own: one that raises, dies
or hangs (`--time-limit`) ends with a message, not in silence.

The integers are bit-exact with Lava's CPU fixed-point models. No neuromorphic chip was involved.

## Drive it

    from spiking_policy.policy import SpikingPolicy

    with SpikingPolicy() as policy:
        policy.reset()                        # an episode starts
        action = policy.decide(observation)   # {observations} float64 numbers in, {actions} out

A decision takes {steps} steps of Lava, about a millisecond each.

## What is here

`network.json` and `network.npz` hold {layers} weight layers, {timesteps} timestep(s) per decision,
and the contracts of observation and action; `probe.npz` observations, encoded inputs, control
words, and the payloads and readouts expected from them. In `spiking_policy/`:

| file | content |
|---|---|
| `network.py` | the network as Lava processes: stock `Dense` and our neurons; start here |
| `spiking_network.py` | the same for `lif@1`, trained as spiking: stock `Dense`, `LIFReset` |
| `processes/` | sources, recorder, neurons, readout; their equations are on top of each file |
| `window.py` | when a layer works: it counts its steps from a control word |
| `host.py` | encode and decode, the only floating-point arithmetic |
| `client.py`, `supervisor.py`, `worker.py`, `messages.py` | Lava's runtime under supervision |
| `lava_import.py` | makes lava-nc importable on Python 3.11 and newer |

For a network inside a Lava application of your own, build it with `LavaNetwork` of
`spiking_policy/network.py`.
"""


def readme(artifact: Artifact) -> str:
    """The text for one artifact."""
    network = artifact.network
    provenance = artifact.provenance
    widths = "-".join(str(width) for width in network.widths)
    place = f" for {artifact.environment.id}" if artifact.environment else ""
    actions = str(artifact.action.size)
    if artifact.action.discrete:
        actions = f"the number of one of {actions} choices"
    summary = (
        f"A {widths} network of `{network.neuron}` neurons{place}, exported by Spikeport from"
        f" `{provenance.file}` (SHA-256 {provenance.sha256[:16]}...)."
    )
    return TEXT.format(
        summary=summary,
        needs=" ".join(NEEDS),
        requirement=REQUIREMENT,
        decisions=len(artifact.probe.flags),
        observations=artifact.observation.size,
        actions=actions,
        steps=network.chip_steps,
        layers=len(network.layers),
        timesteps=network.timesteps,
    )
