"""Make a file that ships with Spikeport out of a training run of `spikeport train proxy-target`.

    python benchmarks/proxy_target.py --only HalfCheetah --methods proxy-target --bfloat16 --runs
    build/runs python examples/ship_spiking_policy.py build/runs/proxy-target-HalfCheetah-v5-0.zip
    examples/policies/proxy-lif-HalfCheetah-v5.zip

Takes the policy of the run's best evaluation (seeds 30000 to 30009, which nothing else uses). Of
its zip the actor's tensors and spiking_policy.json are kept: critics, proxy and optimisers are of
no use to a reader. How it came to be is recorded beside it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import zipfile
from pathlib import Path

import gymnasium
import mujoco
import stable_baselines3
import torch

from spikeport.toolchain.training.runs.checkpoint import read_checkpoint
from spikeport.toolchain.training.runs.evaluation import read_evaluations
from spikeport.toolchain.training.runs.run_folder import steps_of

ACTOR = "actor."
FACTS = "spiking_policy.json"
WEIGHTS = "policy.pth"


def actor_only(source: Path) -> bytes:
    """The zip with the actor's tensors and nothing that is pickled."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(source) as archive,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as slim,
    ):
        state = torch.load(io.BytesIO(archive.read(WEIGHTS)), weights_only=True)
        weights = io.BytesIO()
        torch.save(
            {name: tensor for name, tensor in state.items() if name.startswith(ACTOR)}, weights
        )
        for name, content in (
            ("data", b"{}"),
            (WEIGHTS, weights.getvalue()),
            (FACTS, archive.read(FACTS)),
        ):
            slim.writestr(name, content)
    return stream.getvalue()


def record(run: Path, target: Path) -> dict[str, object]:
    """Plan, evaluations and versions."""
    folder = run.with_name(f"{run.name}.run")
    evaluations = read_evaluations(folder / "evaluations.jsonl")
    plan = json.loads(read_checkpoint(folder / "checkpoint.pt")["plan"])
    best = max(evaluations, key=lambda evaluation: evaluation["mean"])
    if steps_of(folder / "best.zip") != best["steps"]:
        raise SystemExit(
            f"{folder / 'best.zip'}: is of step {steps_of(folder / 'best.zip')}, the best"
            f" evaluation of step {best['steps']}"
        )
    return {
        "file": target.name,
        "plan": plan,
        "command": (
            f"spikeport train {plan['method']} --env {plan['environment']} --neuron"
            f" {plan['neuron']} --steps {evaluations[-1]['steps']} --seed {plan['seed']} --threads"
            f" {plan['threads']}{' --bfloat16' if plan['bfloat16'] else ''} -o {run.name}"
        ),
        "exported_steps": best["steps"],
        "evaluations": [
            {"steps": found["steps"], "mean": found["mean"], "minimum": min(found["returns"])}
            for found in evaluations
        ],
        "versions": {
            module.__name__: module.__version__
            for module in (torch, stable_baselines3, gymnasium, mujoco)
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="the run's FILE; FILE.run lies beside it")
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    facts = record(arguments.run, arguments.output)
    contents = {
        arguments.output: actor_only(
            arguments.run.with_name(f"{arguments.run.name}.run") / "best.zip"
        )
    }
    contents[arguments.output.with_suffix(".json")] = (json.dumps(facts, indent=1) + "\n").encode()
    for path, content in contents.items():
        temporary = path.with_name(f".{os.getpid()}-{path.name}")
        temporary.write_bytes(content)
        os.replace(temporary, path)


if __name__ == "__main__":
    main()
