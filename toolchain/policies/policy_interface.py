"""What every policy offers, whatever network is inside; a new kind of policy is one file beside it.

A policy is data (layers, contracts, origin) and one way to act: `at_rest` gives the memory of an
episode's start, `respond` makes actions and the next memory of observations. Everything that runs a
policy uses its `actor`, which keeps memory and decision numbers for it.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.contracts import ActionContract, Float, ObservationContract
from spikeport.toolchain.policies.actor import Actor, FloatActor, Memory
from spikeport.toolchain.policies.layers import AnyLayer


@dataclass(frozen=True)
class Provenance:
    """Where a policy came from; never an absolute path."""

    file: str
    sha256: str
    format: str  # e.g. `stable-baselines3`, `state-dict`
    family: str  # e.g. `TD3`, `l1,l2,l3`
    assumptions: tuple[str, ...] = ()  # facts the file does not carry, as `assumed by family: ...`
    normalizer_file: str = ""
    normalizer_sha256: str = ""


class AnyPolicy(ABC):
    """A deterministic policy: observations in, actions out, perhaps with a memory in between.

    Every policy is a frozen dataclass.
    """

    # Short name of the neuron that a network trained as spiking keeps; None for all others.
    own_neuron: ClassVar[str | None] = None
    # Whether it is a stack of dense layers without a memory, trained as an ANN. Such a policy can
    # be diagnosed and tuned, and its int8 work can be counted (ann_policy.is_feed_forward).
    feed_forward: ClassVar[bool] = False
    # Whether a conversion always needs states that the policy visits.
    needs_states: ClassVar[bool] = True

    observation: ObservationContract
    action: ActionContract
    provenance: Provenance
    environment: str = ""  # a Gymnasium id that the checkpoint's sidecar names, or empty
    layers: Sequence[AnyLayer]  # the weight layers in order
    neuron: str = ""  # what the checkpoint calls its neurons; empty where it has none
    timesteps: int  # of one decision; 1 where the network does not count spikes

    @property
    def macs(self) -> int:
        """Dense multiply-adds of one pass through the weight layers (contract section 5).

        A network with several timesteps makes as many passes per decision.
        """
        return sum(layer.macs for layer in self.layers)

    def at_rest(self, rows: int) -> Memory:
        """The memory of `rows` environments at an episode's start; nothing without a memory."""
        return ()

    @abstractmethod
    def respond(
        self, observations: NDArray[np.floating], decisions: NDArray[np.int64], memory: Memory
    ) -> tuple[Float, Memory]:
        """Act once in every row.

        Args:
            observations: [rows, obs], of the environment.
            decisions: [rows], decision numbers counted from 0 at an episode's start.
            memory: What `at_rest` or the last `respond` gave; it is left as it is.

        Returns:
            Actions [rows, act], and the memory after them.
        """

    def actor(self, rows: int = 1) -> Actor:
        """The policy as a stateful actor of `rows` environments."""
        return FloatActor(self, rows)

    def act(
        self, observations: NDArray[np.floating], decisions: NDArray[np.int64] | None = None
    ) -> Float:
        """Deterministic actions in a stream of states, in order.

        Args:
            observations: [n, obs], one after the other.
            decisions: [n], decision numbers; 0 starts an episode. None: the rows are one episode.

        Returns:
            Actions [n, act], [n, 1] of a discrete action.
        """
        values = np.asarray(observations, np.float64)
        numbers = np.arange(len(values)) if decisions is None else decisions
        memory = self.at_rest(1)
        actions = np.zeros((len(values), self.action.channels))
        for row, number in enumerate(numbers):
            if number == 0:
                memory = self.at_rest(1)
            one = slice(row, row + 1)
            actions[one], memory = self.respond(values[one], numbers[one], memory)
        return actions

    def network_inputs(
        self, observations: NDArray[np.floating], decisions: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """What the observation contract makes of observations, [n, features], float32."""
        values = np.asarray(observations, np.float64)
        return self.observation.apply(values, decisions).astype(np.float32)

    def with_contracts(self, observation: ObservationContract, action: ActionContract) -> Self:
        """The same network between other contracts."""
        policy: Any = self  # a frozen dataclass, like every policy
        return dataclasses.replace(policy, observation=observation, action=action)

    def facts(self) -> dict[str, object]:
        """JSON data that `inspect` shows beyond what it shows of every policy."""
        return {}


class MemorylessPolicy(AnyPolicy):
    """A policy whose decisions do not depend on one another; it acts in all states at once."""

    @abstractmethod
    def act(
        self, observations: NDArray[np.floating], decisions: NDArray[np.int64] | None = None
    ) -> Float:
        """Deterministic actions [n, act] for observations [n, obs], [n, 1] of a discrete action.

        `decisions` [n] are decision numbers for a time feature, 0 if None.
        """

    def respond(
        self, observations: NDArray[np.floating], decisions: NDArray[np.int64], memory: Memory
    ) -> tuple[Float, Memory]:
        """Act once in every row; nothing is remembered."""
        return self.act(observations, decisions), ()
