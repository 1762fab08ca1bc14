"""The contenders, each ready to decide.

Our backends, Lava's, torch, onnxruntime and the bare environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import onnx_policy
from benchmarks.material import SEED, Material, make
from benchmarks.method import Contender, Turn
from benchmarks.one_core import unpinned
from benchmarks.rows import (
    ANN,
    BATCH,
    EAGER,
    ENVIRONMENT,
    FAST,
    LAVA,
    LAVA_DIRECT,
    ONNX,
    ONNX_BOUND,
    RATE,
    REFERENCE,
    SDN,
    TORCH,
    TUNED,
    Row,
)
from benchmarks.torch_networks import EagerNetwork, TunedNetwork, torch_policy
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.simulation.backends import open_backend

QUICK = Turn(500, 300)
SLOW = Turn(20, 10)
BATCHED = Turn(10, 5)
RUNTIME = Turn(5, 1)
# decisions of one walk of a batch; its rows start at places spread over the rest of the stream
BATCH_WALK = 200
OURS = {FAST: "fast", REFERENCE: "reference", LAVA_DIRECT: "lava-direct", LAVA: "lava"}

Float = NDArray[np.float64]


def nothing() -> None:
    """What a policy without state does at an episode's start."""


def walk(observations: NDArray[Any], batch: int) -> list[NDArray[Any]]:
    """The stream as arrays [batch, obs], one per decision.

    In a batch every row is somewhere else in the episode.
    """
    if batch == 1:
        return [observations[index : index + 1] for index in range(len(observations))]
    places = np.linspace(0, len(observations) - BATCH_WALK, batch).astype(int)
    return [observations[places + index] for index in range(BATCH_WALK)]


def spiking(
    networks: dict[str, Artifact], observations: Float, cores: frozenset[int], stack: ExitStack
) -> list[Contender]:
    """Spikeport's four backends, from observation to action by their public `decide`."""
    made = []
    for runs, network, batch in [(FAST, n, b) for n in networks for b in (1, BATCH)] + [
        (r, n, 1) for r in (REFERENCE, LAVA_DIRECT, LAVA) for n in networks
    ]:
        backend = stack.enter_context(open_backend(OURS[runs], networks[network], batch))
        inputs = walk(observations, batch)
        if batch > 1:
            turn = BATCHED
        elif runs == FAST:
            turn = QUICK
        else:
            turn = SLOW
        own = frozenset[int]()
        if runs == LAVA:
            turn = RUNTIME
            own = cores
            with unpinned(cores):
                backend.decide(
                    inputs[0]
                )  # its processes start here and keep the cores of this moment
        made.append(
            Contender(Row(runs, network, batch), backend.decide, inputs, backend.reset, turn, own)
        )
    return made


def eager(artifact: Artifact, observations: Float) -> list[Contender]:
    """The same `if` network in torch, from observation to action."""
    made = []
    for batch in (1, BATCH):
        for runs, program in (
            (EAGER, EagerNetwork(artifact).eval()),
            (TUNED, TunedNetwork(artifact, batch)),
        ):
            made.append(
                Contender(
                    Row(runs, RATE, batch),
                    program,
                    walk(observations, batch),
                    program.restart,
                    BATCHED if batch > 1 else SLOW,
                )
            )
    return made


def source(policy: Policy, observations: Float) -> list[Contender]:
    """The policy itself.

    Its inputs are made ready, as float32, before time is taken: that is to its advantage.
    """
    inputs = policy.observation.apply(observations, np.arange(len(observations))).astype(np.float32)
    network = torch_policy(policy)
    run = onnx_policy.runner(policy)

    @torch.no_grad()
    def act(x: torch.Tensor) -> torch.Tensor:
        return network(x)

    made = [
        Contender(
            Row(ONNX_BOUND, ANN), onnx_policy.bound_runner(policy), walk(inputs, 1), nothing, QUICK
        )
    ]
    for batch in (1, BATCH):
        rows = walk(inputs, batch)
        if batch > 1:
            turn = BATCHED
        else:
            turn = QUICK
        made.append(Contender(Row(ONNX, ANN, batch), run, rows, nothing, turn))
        made.append(
            Contender(
                Row(TORCH, ANN, batch), act, [torch.from_numpy(row) for row in rows], nothing, turn
            )
        )
    return made


def environment(material: Material, stack: ExitStack) -> Contender:
    """`env.step` on the source policy's recorded actions, through the wrappers that gymnasium.make
    adds.
    """
    name = material.subject.environment
    env: Any = make(name)
    stack.callback(env.close)
    return Contender(
        Row(ENVIRONMENT, name),
        env.step,
        list(material.stream.actions),
        lambda: env.reset(seed=SEED),
        QUICK,
    )


def all_contenders(
    materials: Sequence[Material], rate: Artifact, cores: frozenset[int], stack: ExitStack
) -> list[Contender]:
    """Everything in the table of decisions; the first material's policy is the one that decides."""
    first = materials[0]
    observations = first.stream.observations
    networks = {SDN: first.sdn, RATE: rate}
    made = [
        *spiking(networks, observations, cores, stack),
        *eager(rate, observations),
        *source(first.policy, observations),
    ]
    return [*made, *(environment(material, stack) for material in materials)]
