"""What the source policy does as an int8 network.

Its multiply-adds are counted: all, those that are not zero, those that changed.

    dense    sum over layers of in * out
    sparse   one per non-zero int8 input and non-zero int8 weight
    delta    one per input that changed since the last decision and non-zero int8 weight; an
        episode's first decision is sparse

Activations are rounded to int8 per layer (the observation per feature), weights per row, all
symmetric to the largest magnitude on the recorded part of the artifact's probe. Only the work is
counted: whether this int8 network still earns the return was not measured. A sigma-delta artifact
is such a delta network itself, with its own integers; its census is taken where there is one
(`with_census`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import is_feed_forward
from spikeport.toolchain.simulation.census import Census

Float = NDArray[np.float64]
SYNTHETIC = 32  # observations at the probe's end that no environment gave


@dataclass(frozen=True)
class LayerWork:
    """Work of one layer per decision.

    `sparse` and `delta` are multiply-adds, `active` and `changed` inputs. None: not counted.
    """

    inputs: int
    outputs: int
    sparse: float | None = None
    delta: float | None = None
    active: float | None = None
    changed: float | None = None

    @property
    def dense(self) -> int:
        """All multiply-adds."""
        return self.inputs * self.outputs


@dataclass(frozen=True)
class AnnWork:
    """Averages per decision. `delta_of` says whose changes were counted."""

    layers: tuple[LayerWork, ...]
    decisions: int = 0
    delta_of: str = "int8 source policy"

    @property
    def dense(self) -> int:
        """All multiply-adds of all layers."""
        return sum(layer.dense for layer in self.layers)

    @property
    def sparse(self) -> float | None:
        """Multiply-adds of all layers without those of zeros; None where not counted."""
        return _total([layer.sparse for layer in self.layers])

    @property
    def delta(self) -> float | None:
        """Multiply-adds of all layers for inputs that changed; None where not counted."""
        return _total([layer.delta for layer in self.layers])


def _total(parts: list[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    if len(known) == len(parts):
        return sum(known)
    return None


def dense_work(artifact: Artifact) -> AnnWork:
    """The part that needs no run, from the shapes of the layers.

    The source's are those of the artifact.
    """
    return AnnWork(
        tuple(LayerWork(layer.inputs, layer.outputs) for layer in artifact.network.layers)
    )


def with_census(work: AnnWork, census: Census, artifact: Artifact) -> AnnWork:
    """A sigma-delta artifact's own census as the delta network's work.

    Any other artifact leaves `work` as it is.
    """
    if not artifact.network.across_decisions:
        return work
    n = census.decisions
    counted = zip(work.layers, census.layers, strict=True)
    layers = tuple(
        dataclasses.replace(layer, delta=counts.synops / n, changed=counts.messages_in / n)
        for layer, counts in counted
    )
    return AnnWork(layers, work.decisions, "this artifact's integers")


def countable(artifact: Artifact) -> bool:
    """Whether the artifact has a source ANN inside."""
    return is_feed_forward(artifact.source)


class CountingActor:
    """The source policy as an actor of a rollout that counts its own int8 work."""

    def __init__(self, artifact: Artifact, rows: int = 1) -> None:
        source = artifact.source
        if not is_feed_forward(source):
            fix = ("reconvert without --no-source", "dense_work, which needs no run")
            raise InputError("int8 work", "the artifact has no source ANN inside to count", fix=fix)
        self.policy = source
        self.rows = rows
        observations = artifact.probe.observations[recorded_part(artifact)]
        recorded = self._inputs(observations, np.zeros(len(observations), np.int64))
        self._scales = [
            np.abs(values).max(0 if index == 0 else None) / 127
            for index, values in enumerate(self._layer_inputs(recorded))
        ]
        self._scales = [np.where(scale > 0, scale, 1.0) for scale in self._scales]
        self._fan_out = [
            np.count_nonzero(_int8_rows(layer.weight), axis=0) for layer in self.policy.layers
        ]
        self._last = [np.zeros((rows, layer.inputs), np.int64) for layer in self.policy.layers]
        self._decision = np.zeros(rows, np.int64)
        self._counts = np.zeros((4, len(self.policy.layers)))
        self._decisions = 0

    def reset(self, mask: NDArray[np.bool_] | None = None) -> None:
        """Start an episode in the rows of `mask`, in all rows if None."""
        chosen = slice(None) if mask is None else mask
        self._decision[chosen] = 0
        for last in self._last:
            last[chosen] = 0

    def decide(self, observations: Float, active: NDArray[np.bool_] | None = None) -> Float:
        """Act in the active rows and count their work; NaN in the others."""
        actions = self.policy.act(observations, self._decision)
        if active is None:
            rows = np.ones(self.rows, np.bool_)
        else:
            rows = active
        for index, values in enumerate(
            self._layer_inputs(self._inputs(observations, self._decision))
        ):
            q = np.clip(np.floor(values / self._scales[index] + 0.5), -127, 127).astype(np.int64)
            changed = (q != self._last[index]) & rows[:, None]
            present = (q != 0) & rows[:, None]
            self._last[index] = np.where(rows[:, None], q, self._last[index])
            fan_out = self._fan_out[index]
            self._counts[:, index] += (
                (present @ fan_out).sum(),
                (changed @ fan_out).sum(),
                present.sum(),
                changed.sum(),
            )
        self._decision += rows
        self._decisions += int(rows.sum())
        actions[~rows] = np.nan
        return actions

    def work(self) -> AnnWork:
        """Averages over all decisions so far."""
        sparse, delta, active, changed = self._counts / max(self._decisions, 1)
        found = tuple(
            LayerWork(
                layer.inputs,
                layer.outputs,
                float(sparse[index]),
                float(delta[index]),
                float(active[index]),
                float(changed[index]),
            )
            for index, layer in enumerate(self.policy.layers)
        )
        return AnnWork(found, self._decisions)

    def _inputs(self, observations: Float, decisions: NDArray[np.int64]) -> Float:
        return self.policy.observation.apply(np.asarray(observations, np.float64), decisions)

    def _layer_inputs(self, inputs: Float) -> list[Float]:
        """What arrives at each layer, [n, inputs] each."""
        found = [inputs]
        before = self.policy.forward(inputs)[:-1]
        for layer, pre in zip(self.policy.layers[:-1], before, strict=True):
            found.append(np.asarray(ACTIVATIONS[layer.activation].value(pre), np.float64))
        return found


def probe_work(artifact: Artifact) -> AnnWork:
    """The work on the recorded part of the probe, where there is no environment to run in."""
    actor = CountingActor(artifact)
    recorded = recorded_part(artifact)
    for observation, flag in zip(
        artifact.probe.observations[recorded], artifact.probe.flags[recorded], strict=True
    ):
        if flag == 1:
            actor.reset()
        actor.decide(observation[None])
    return actor.work()


def recorded_part(artifact: Artifact) -> slice:
    """The probe without its synthetic end."""
    return slice(0, max(len(artifact.probe.flags) - SYNTHETIC, 1))


def _int8_rows(weight: NDArray[np.float32]) -> NDArray[np.int64]:
    largest = np.abs(weight).max(1, keepdims=True).astype(np.float64)
    return np.floor(weight / np.where(largest > 0, largest, 1.0) * 127 + 0.5).astype(np.int64)
