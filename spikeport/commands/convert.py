"""`convert` and `tune`: a checkpoint in, an artifact out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from spikeport.commands.command_options import (
    as_json,
    conversion_files,
    numbers,
    read_array,
    read_options,
    refuse_overwriting,
    whole_numbers,
)
from spikeport.commands.terminal import emit, staged_bar


@click.command()
@conversion_files
@click.option(
    "--observations",
    type=click.Path(path_type=Path),
    metavar="FILE.npy",
    help="Recorded observations (N, obs) instead of --env.",
)
@click.option(
    "--episode-starts",
    type=click.Path(path_type=Path),
    metavar="FILE.npy",
    help="Flags (N) that mark episode starts.",
)
@click.option(
    "--neuron",
    metavar="sdn|if|snm|mt|dc|lif|leaky|auto",
    help=(
        "Neuron of the hidden layers; auto: the cheapest that holds.  [default: sdn; lif or leaky"
        " for a spiking checkpoint, and for nothing else]"
    ),
)
@click.option(
    "--timesteps",
    type=int,
    metavar="T",
    help="Timesteps of a decision.  [default: sdn 1, if 16, snm 8, mt 4, dc 4]",
)
@click.option(
    "--alpha",
    type=float,
    metavar="A",
    help="Share of the residual that is carried over, in 64ths.  [default: if 0.5, others 0]",
)
@click.option(
    "--weight-bits",
    default=8,
    show_default=True,
    metavar="B",
    help="Symmetric weights of 2 to 8 bits.",
)
@click.option(
    "--action-error",
    type=float,
    metavar="E",
    help=(
        "Wanted RMS action error in half ranges.  [default: 0.1; finer where 64 episodes lose over"
        " 2 % of the return, or over 3 % more of them are weak]"
    ),
)
@click.option(
    "--calibration-steps",
    default=10_000,
    show_default=True,
    metavar="N",
    help="Decisions of the policy to calibrate on.",
)
@click.option(
    "--error-shares",
    metavar="X[,X...]",
    callback=numbers,
    help="Shares of the squared action error: input, hidden layers.  [default: cheapest]",
)
@click.option(
    "--triggers",
    metavar="M[,M...]",
    callback=whole_numbers,
    help="Payload units a change must reach to be sent, per hidden layer.  [default: 1]",
)
@click.option(
    "--allocation",
    default="sensitivity",
    show_default=True,
    metavar="sensitivity|events",
    help="Thresholds by formula, or from events counted in calibration.",
)
@click.option(
    "--thrift",
    default=0.0,
    show_default=True,
    metavar="X",
    help="Squared action error that a synop per MAC saved is worth; drops synapses.",
)
@click.option(
    "--threshold-shares",
    metavar="X[,X...]",
    callback=numbers,
    help=(
        "dc, T >= 3: shares (0.05..20) of a neuron's largest activation to choose its threshold"
        " from.  [default: 1,0.8,0.6; others if the loop asks for it]"
    ),
)
@click.option(
    "--resync-every",
    default=0,
    show_default=True,
    metavar="N",
    help="Restart all state every N decisions; 0 = never.",
)
@click.option("--prune-dead", is_flag=True, help="Drop neurons that never fired in calibration.")
@click.option(
    "--finetune",
    is_flag=True,
    help=(
        "Distil the policy into the integers: minutes, for 4 or 5 weight bits; sdn only, needs"
        " PyTorch."
    ),
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    help="Calibration episode k is reset with 10^6 + 1000 * seed + k.",
)
@click.option("--no-source", is_flag=True, help="Leave the float policy out of the artifact.")
@as_json
def convert(
    checkpoint: Path,
    output: Path,
    env: str | None,
    observations: Path | None,
    episode_starts: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Convert a trained policy into an integer spiking artifact.

    CHECKPOINT: a torch state_dict (l1,l2,l3; fc1,fc2,fc_mu; Sequential numbering), a safetensors
    file, a checkpoint of RSL-RL, rl_games or CleanRL, a Stable-Baselines3 / sb3-contrib zip (TD3,
    DDPG, SAC, TQC, PPO, A2C, TRPO, DQN, QR-DQN), or a graph: ONNX, torch.export (.pt2),
    TorchScript. Spiking: a PopSAN or Proxy-Target state_dict, SDDPG's NAME_weights.p with
    NAME_bias.p, lava-dl's netx HDF5 (docs/spiking.md), or snnTorch's Leaky networks. A NIR file
    that `export --to nir` wrote becomes the artifact that it came from (docs/nir.md).
    """
    from spikeport import api
    from spikeport.toolchain.artifact.artifact_file import save
    from spikeport.toolchain.files.atomic import check_writable

    check_writable(output)
    refuse_overwriting(output, checkpoint, "checkpoint")
    if api.is_exported_nir(checkpoint):
        artifact = restored(checkpoint)
        save(artifact, output)
        tell(as_json, artifact, output, None)
        return
    recorded = None if observations is None else read_array(observations, "--observations")
    starts = None if episode_starts is None else read_array(episode_starts, "--episode-starts")
    policy = api.load_policy(
        checkpoint,
        env=env,
        observation_size=None if recorded is None or recorded.ndim != 2 else recorded.shape[1],
        **read_options(given),
    )
    for assumption in policy.provenance.assumptions:
        if assumption.startswith("warning: "):
            click.echo(assumption, err=True)
    attempts: list[Any] = []
    with staged_bar() as progress:
        artifact = api.convert(
            policy,
            env=env,
            observations=recorded,
            episode_starts=starts,
            calibration_steps=given["calibration_steps"],
            seed=given["seed"],
            progress=progress,
            attempts=attempts,
            **conversion_choices(given, policy.own_neuron),
        )
    save(artifact, output)
    for attempt in attempts:
        click.echo(f"closed loop: {attempt}", err=True)
    accepted = judged(attempts, artifact, output)
    if policy.own_neuron is not None:
        note_without_loop(artifact, output)
    tell(as_json, artifact, output, accepted)


CHOICES = (
    "timesteps",
    "alpha",
    "weight_bits",
    "action_error",
    "allocation",
    "thrift",
    "finetune",
    "resync_every",
    "prune_dead",
)
LISTS = ("error_shares", "triggers", "threshold_shares")
OF_SDN = ("finetune", "thrift", "triggers", "error_shares")  # and --action-error, --allocation


def conversion_choices(given: dict[str, Any], own_neuron: str | None) -> dict[str, Any]:
    """What `api.convert` is given of the options, with a note on those that do nothing.

    Args:
        given: The command's options by name.
        own_neuron: Of a policy that was trained as spiking; None for an ANN.

    Returns:
        The checked options as `options`, or single choices where every neuron is tried.

    Raises:
        InputError: The options do not go together.
    """
    from spikeport import api

    neuron = given["neuron"] or own_neuron or "sdn"
    choices = {"neuron": neuron, "keep_source": not given["no_source"]}
    choices |= {name: given[name] for name in CHOICES}
    choices |= {name: tuple(given[name] or ()) for name in LISTS}
    if neuron != "auto":
        options = api.ConversionOptions(**choices)
        if neuron not in ("sdn", own_neuron) and given["action_error"] is not None:
            click.echo(
                f"note: --action-error chooses the thresholds of sdn; {neuron} takes its own from"
                " the largest activations",
                err=True,
            )
        return {"options": options}
    if given["action_error"] is not None or any(given[name] for name in OF_SDN):
        click.echo(
            "note: --action-error, --error-shares, --triggers, --allocation, --thrift and"
            " --finetune apply to auto's sdn candidate alone",
            err=True,
        )
    return choices


def note_without_loop(artifact: Any, output: Path) -> None:
    """Say on stderr how to measure the return of a network that was trained as spiking."""
    environment = "" if artifact.environment else " --env ID"
    source = "" if artifact.source else " --source CHECKPOINT"
    command = f"spikeport simulate {output.name}{environment} --compare{source}"
    click.echo(
        "note: no closed loop was run, a network that was trained as spiking is taken as it is;"
        f" `{command}` measures its return",
        err=True,
    )


def tell(as_json: bool, artifact: Any, output: Path, accepted: bool | None) -> None:
    """Say what was written."""
    from spikeport.toolchain.report import artifact_text, describe_artifact

    facts = describe_artifact(artifact) | {"accepted": accepted, "output": output.name}
    emit(as_json, facts, f"{artifact_text(artifact)}\nwrote {output}")


def judged(attempts: list[Any], artifact: Any, output: Path) -> bool | None:
    """Whether the closed loop accepted what was written, None where it was not run.

    Says on stderr why it was chosen, or that nothing was good enough.
    """
    from spikeport.toolchain.conversion.closed_loop_conversion import Attempt, acceptance, setting

    if not attempts:
        return None
    accepted = any(attempt.accepted for attempt in attempts)
    reason = "none of these neurons holds the return; sdn was written"
    if isinstance(attempts[0], Attempt):
        accepted, reason = acceptance(
            attempts,
            setting(artifact.calibration["action_error"], artifact.calibration["threshold_shares"]),
        )
        if accepted and reason:
            click.echo(f"note: {reason}", err=True)
    if not accepted:
        click.echo(
            f"warning: {reason}. {output.name} is the best of what was tried; `spikeport diagnose"
            f" {output.name}` says what is wrong",
            err=True,
        )
    return accepted


def restored(exported: Path) -> Any:
    """The artifact in a NIR file that Spikeport wrote; options that would convert are refused."""
    from spikeport import api
    from spikeport.toolchain.errors import InputError

    context = click.get_current_context()
    own = {"checkpoint", "output", "as_json"}
    given = [
        name
        for name in context.params
        if name not in own
        and context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise InputError(
            exported.name,
            "holds a finished artifact, which is given back as it is",
            got=", ".join("--" + name.replace("_", "-") for name in given),
            limit="-o and --json alone",
            fix=("omit the other options", "convert the checkpoint that it came from"),
        )
    return api.load_nir(exported)
