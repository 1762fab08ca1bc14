"""The table of record: every neuron on every policy, closed loop, at 8 bits.

    make table-fidelity                          measures what is missing and writes
        docs/fidelity.md and its plot
    python benchmarks/fidelity.py --only Hopper  some of the policies, printed
    python benchmarks/fidelity.py --cells "dc T=4"  some of the cells of every policy with alpha 0,
        printed with their mean

Each cell: 20 episodes, 100 where the source policy's returns vary by 5 % or more, on seeds that
neither calibration nor the choice of alpha saw, the source policy on the same seeds. alpha is
chosen from 16/64, 32/64, 48/64 and 64/64 on 10 episodes of other seeds, by their mean return; it
stands beside alpha 0, so the effect of the residual carry-over is seen also where it hurts. Results
are kept per policy in build/fidelity and measured again when the code of the conversion, a neuron
or a kernel changes.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np  # noqa: E402
from scipy import stats  # noqa: E402

from benchmarks.fidelity_document import write  # noqa: E402
from benchmarks.float_oracle import FloatNetwork, FloatSimulation, FloatSpikingActor  # noqa: E402
from benchmarks.policies import ROOT, Case, found  # noqa: E402
from benchmarks.results import EPISODES, enough_episodes  # noqa: E402
from spikeport.toolchain.artifact.artifact import Artifact  # noqa: E402
from spikeport.toolchain.conversion.build import convert  # noqa: E402
from spikeport.toolchain.conversion.calibration.states import (  # noqa: E402
    Calibration,
    from_environment,
)
from spikeport.toolchain.conversion.conversion_options import ConversionOptions  # noqa: E402
from spikeport.toolchain.conversion.pipeline import convert_in_environment  # noqa: E402
from spikeport.toolchain.environments import gymnasium_bridge  # noqa: E402
from spikeport.toolchain.policies.actor import FloatActor  # noqa: E402
from spikeport.toolchain.policies.ann_policy import Policy  # noqa: E402
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend  # noqa: E402
from spikeport.toolchain.simulation.return_statistics import (  # noqa: E402
    failed_episodes,
    holds_target,
    ratio_interval,
    return_ratio,
)
from spikeport.toolchain.simulation.rollout import Rollout, roll_out  # noqa: E402

FOLDER = ROOT / "build" / "fidelity"
FOLDERS = (
    "conversion",
    "quantization",
    "neurons",
    "simulation/fast",
    "convert.py",
    "conversion_loop.py",
)
CODE = (*(f"toolchain/{name}" for name in FOLDERS), "benchmarks/fidelity.py")
SEED = 1000
TUNING_EPISODES = 10
TUNING_SEED = 700_000
ALPHAS = (0.25, 0.5, 0.75, 1.0)
CELLS = (
    ("if", 8),
    ("if", 16),
    ("if", 32),
    ("snm", 8),
    ("snm", 16),
    ("mt", 2),
    ("mt", 4),
    ("dc", 2),
    ("dc", 4),
)
ORACLE_CELLS = (("if", 16), ("snm", 8), ("mt", 4), ("dc", 4))
ORACLE_DECISIONS = 600
ORACLE_SEED = 7


class Loop:
    """Closed-loop episodes of one policy's environment."""

    def __init__(self, case: Case, policy: Policy) -> None:
        self.case = case
        self.policy = policy
        self.ann = self.run(FloatActor(policy, EPISODES), SEED, EPISODES)
        self.episodes = enough_episodes(self.ann.returns)
        if self.episodes > EPISODES:
            self.ann = self.run(FloatActor(policy, self.episodes), SEED, self.episodes)

    def run(self, actor: Any, seed: int, episodes: int) -> Rollout:
        return roll_out(
            actor,
            lambda index: gymnasium_bridge.make(self.case.environment, trusted=True),
            range(seed, seed + episodes),
        )

    def judge(self, artifact: Artifact) -> dict[str, Any]:
        """One cell of the table."""
        backend = FastBackend(artifact, self.episodes)
        spiking = self.run(backend, SEED, self.episodes)
        ann = self.ann
        interval = ratio_interval(spiking.returns, ann.returns)
        return {
            "alpha": artifact.network.alpha / 64,
            "returns": spiking.returns.tolist(),
            "ratio": return_ratio(spiking.returns, ann.returns),
            "interval": None if interval is None else list(interval),
            "least": return_ratio(spiking.returns.min(keepdims=True), ann.returns),
            "failed": failed_episodes(spiking.returns, ann.returns),
            "holds": holds_target(spiking.returns, ann.returns, 0.99).holds,
            "chatter": spiking.chatter / ann.chatter if ann.chatter > 0 else None,
            "synops_per_mac": backend.census().synops_per_mac,
            "synops_per_decision": backend.census().synops_per_decision,
        }


def measure(case: Case, progress: Callable[[str], None]) -> dict[str, Any]:
    """All cells of one policy."""
    policy = case.load()
    loop = Loop(case, policy)
    env = gymnasium_bridge.make(case.environment, trusted=True)
    calibration = from_environment(policy, env, 10_000, 0)
    states = from_environment(policy, env, ORACLE_DECISIONS, ORACLE_SEED)
    env.close()
    ann = {
        "returns": loop.ann.returns.tolist(),
        "failed": failed_episodes(loop.ann.returns, loop.ann.returns),
    }
    progress("sdn")
    sdn, _ = convert_in_environment(policy, case.environment)
    result: dict[str, Any] = {
        "name": case.name,
        "environment": case.environment,
        "public": case.public,
        "macs": policy.macs,
        "ann": ann,
    }
    result |= {
        "cells": {"sdn": {"neuron": "sdn", "timesteps": 1, "plain": loop.judge(sdn)}},
        "oracle": {},
    }
    for neuron, timesteps in CELLS if case.rate else ():
        progress(f"{neuron} T={timesteps}")
        options = ConversionOptions(neuron=neuron, timesteps=timesteps, alpha=0.0)
        plain = convert(policy, calibration, options)
        if options.searches_thresholds:
            plain, _ = convert_in_environment(policy, case.environment, options)
            options = dataclasses.replace(
                options, threshold_shares=tuple(plain.calibration["threshold_shares"])
            )
        carried = convert(
            policy, calibration, dataclasses.replace(options, alpha=best_alpha(loop, plain))
        )
        result["cells"][f"{neuron} T={timesteps}"] = {
            "neuron": neuron,
            "timesteps": timesteps,
            "plain": loop.judge(plain),
            "carried": loop.judge(carried),
        }
        if (neuron, timesteps) in ORACLE_CELLS:
            result["oracle"][f"{neuron} T={timesteps}"] = compare_with_float(loop, plain, states)
    return result


def plain_cell(case: Case, neuron: str, timesteps: int) -> dict[str, Any]:
    """One cell with alpha 0, as `convert` makes it."""
    policy = case.load()
    if neuron == "sdn":
        options = ConversionOptions()
    else:
        options = ConversionOptions(neuron=neuron, timesteps=timesteps, alpha=0.0)
    artifact, _ = convert_in_environment(policy, case.environment, options)
    return Loop(case, policy).judge(artifact)


def best_alpha(loop: Loop, artifact: Artifact) -> float:
    """The alpha above 0 with the best mean return on tuning seeds.

    It changes nothing else in a network.
    """
    means = {}
    for alpha in ALPHAS:
        network = dataclasses.replace(artifact.network, alpha=round(64 * alpha))
        candidate = dataclasses.replace(artifact, network=network)
        means[alpha] = loop.run(
            FastBackend(candidate, TUNING_EPISODES), TUNING_SEED, TUNING_EPISODES
        ).returns.mean()
    return max(means, key=lambda alpha: means[alpha])


def compare_with_float(loop: Loop, artifact: Artifact, states: Calibration) -> dict[str, float]:
    """The integers against the float equations.

    Actions on the same states, returns on the same seeds.
    """
    own, weights = oracle_errors(artifact, loop.policy, states)
    actors = (
        FastBackend(artifact, EPISODES),
        FloatSpikingActor(artifact, EPISODES),
        FloatSpikingActor(artifact, EPISODES, loop.policy),
    )
    integer, on_own, on_weights = (loop.run(actor, SEED, EPISODES).returns for actor in actors)
    result = {"own": own, "weights": weights, "integer_return": float(integer.mean())}
    for name, returns in (("own", on_own), ("weights", on_weights)):
        test = stats.ttest_ind(integer, returns, equal_var=False)
        result |= {f"{name}_return": float(returns.mean()), f"{name}_p": float(np.asarray(test)[1])}
    return result


def oracle_errors(artifact: Artifact, policy: Policy, states: Calibration) -> tuple[float, float]:
    """RMS difference of actions to the float equations, in action ranges.

    On the artifact's numbers, on float weights.
    """
    trace = FastBackend(artifact).trace(states.observations, states.starts.astype(np.int64))
    inputs = artifact.observation.apply(states.observations, states.decisions)
    timesteps = artifact.network.timesteps
    alpha = artifact.network.alpha / 64
    own = FloatSimulation(FloatNetwork.of_artifact(artifact), timesteps, alpha).run(
        trace.inputs.astype(np.float64), states.starts
    )
    weights = FloatSimulation(FloatNetwork.of_policy(policy, artifact), timesteps, alpha).run(
        inputs, states.starts
    )
    outputs = (own * artifact.network.layers[-1].row_scale, weights)
    differences = [
        (trace.actions - artifact.action.apply(output)) / artifact.action.range
        for output in outputs
    ]
    return tuple(float(np.sqrt((difference**2).mean())) for difference in differences)


def fingerprint(case: Case) -> str:
    """Changes when the checkpoint or the code that its figures depend on changes."""
    digest = hashlib.sha256(case.file.read_bytes())
    for place in CODE:
        path = ROOT / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def measured(case: Case) -> dict[str, Any]:
    """The policy's figures: those that are kept, or measured now."""
    path = FOLDER / f"{case.name}.json"
    mark = fingerprint(case)
    if path.exists() and (kept := json.loads(path.read_text()))["fingerprint"] == mark:
        return kept
    result = measure(
        case, lambda stage: print(f"{case.name}: {stage}", file=sys.stderr, flush=True)
    ) | {"fingerprint": mark}
    FOLDER.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(result, indent=1))
    temporary.replace(path)
    return result


def print_cell(cell: str, cases: list[Case], neuron: str, timesteps: int) -> None:
    """One cell of some policies with alpha 0, and the mean."""
    ratios = []
    for case in cases:
        facts = plain_cell(case, neuron, timesteps)
        ratios.append(facts["ratio"])
        if facts["holds"]:
            verdict = "holds"
        else:
            verdict = "does not hold"
        print(
            f"{case.name}: {cell}: ratio {facts['ratio']:.3f}, failed {facts['failed']}, {verdict}"
            " 0.99",
            flush=True,
        )
    print(
        f"{cell}: mean ratio {np.mean(ratios):.3f}, minimum {np.min(ratios):.3f} over {len(ratios)}"
        " policies"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", default="", help="part of a policy's name; nothing is written to docs/"
    )
    parser.add_argument(
        "--cells",
        default="",
        metavar="CELL,...",
        help='such as "dc T=4,mt T=4"; printed, nothing is kept',
    )
    arguments = parser.parse_args()
    known = {
        f"{neuron} T={timesteps}": (neuron, timesteps) for neuron, timesteps in (("sdn", 1), *CELLS)
    }
    wanted = arguments.cells.split(",")
    if arguments.cells:
        if not set(wanted) <= set(known):
            parser.error(f"--cells are among {', '.join(known)}")
        for cell in wanted:
            print_cell(
                cell,
                [
                    case
                    for case in found()
                    if arguments.only in case.name and (case.rate or cell == "sdn T=1")
                ],
                *known[cell],
            )
        return
    results = [measured(case) for case in found() if arguments.only in case.name]
    if arguments.only:
        print(json.dumps(results, indent=1))
    else:
        print(write(results))


if __name__ == "__main__":
    main()
