"""The demo.

Everything that Spikeport does, once, on the HalfCheetah-v5 policy that ships with it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

POLICY = "td3-HalfCheetah-v5.pt"
ENVIRONMENT = "HalfCheetah-v5"


def shipped_policy() -> Path:
    """The policy file in the checkout's examples; a wheel does not carry it."""
    from spikeport.toolchain.errors import InputError

    path = Path(__file__).parents[2] / "examples" / "policies" / POLICY
    if path.is_file():
        return path
    raise InputError(
        "demo", f"{POLICY} is not there", fix="run the demo from a checkout: make demo"
    )


def run(episodes: int, say: Callable[[str], None]) -> bool:
    """Convert, verify, simulate, price. Returns whether every backend was exact."""
    from spikeport import api
    from spikeport.artifact_loading import load
    from spikeport.toolchain.artifact.artifact_file import save
    from spikeport.toolchain.energy import baseline_estimates
    from spikeport.toolchain.report import artifact_text, simulation_text, verification_text
    from spikeport.toolchain.report.energy_table import render_table

    start = time.perf_counter()

    def heading(text: str) -> None:
        say(f"\n== {text}  [{time.perf_counter() - start:.0f} s]")

    heading(
        f"1. A trained policy: {POLICY} (TD3, Stable-Baselines3) becomes an integer spiking network"
    )
    policy = api.load_policy(shipped_policy(), env=ENVIRONMENT)
    attempts: list = []
    artifact = api.convert(policy, env=ENVIRONMENT, attempts=attempts, progress=_dots)
    for attempt in attempts:
        say(f"closed loop: {attempt}")
    say(artifact_text(artifact))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "demo.spk"
        save(artifact, path)
        say(f"saved and loaded again: {path.stat().st_size} bytes")
        artifact = load(path)

    heading("2. Proof: the same integers on five backends, Lava's runtime among them")
    verification = api.verify(artifact, progress=lambda backend, done, total: _note(backend))
    say(verification_text(verification))

    heading("3. Closed loop in MuJoCo, next to the original on the same seeds")
    simulation = api.simulate(artifact, episodes=episodes, compare=True)
    say(simulation_text(simulation))

    heading("4. Energy and latency per decision; every constant has a source (docs/energy.md)")
    if artifact.environment:
        period = artifact.environment.control_period_s
    else:
        period = None
    estimates = api.estimate_energy(artifact, census=simulation.census, control_period_s=period)
    say(render_table(estimates, baseline_estimates(artifact.macs, period)))
    heading("done")
    return verification.exact


def _note(text: str) -> None:
    print(f"  {text} ...", file=sys.stderr, flush=True)


_seen = set[str]()


def _dots(stage: str, done: int, total: int) -> None:
    if stage not in _seen:
        _seen.add(stage)
        _note(stage)


@click.command()
@click.option("--episodes", default=5, show_default=True, metavar="N", type=click.IntRange(min=1))
def demo(episodes: int) -> None:
    """See all of it once.

    Convert, verify, simulate and price the policy that ships with Spikeport.
    """
    if not run(episodes, click.echo):
        sys.exit(1)
