"""A checkpoint file in, a policy out."""

from __future__ import annotations

import os
from pathlib import Path

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.regular_file import FileContent, read_content
from spikeport.toolchain.policies.policy_interface import AnyPolicy
from spikeport.toolchain.readers.detect import detect_format, reader
from spikeport.toolchain.readers.reading_options import ReadOptions


def load_policy(
    path: str | os.PathLike[str],
    *,
    activation: str | None = None,
    squash: str | None = None,
    action_limit: object = None,
    normalizer: str | Path | None = None,
    environment: EnvironmentFacts | None = None,
    action_output: str | None = None,
) -> AnyPolicy:
    """Read the trained policy in a file, whatever the file's name.

    Formats: a torch state_dict, a safetensors file, a checkpoint of RSL-RL, rl_games or CleanRL, a
    Stable-Baselines3 zip (TD3, DDPG, SAC, TQC, PPO, A2C, TRPO, DQN, QR-DQN), an ONNX graph, a
    torch.export program or a TorchScript archive. Spiking actors: a PopSAN or Proxy-Target
    state_dict, or one of SDDPG's two pickles, `*_weights.p` or `*_bias.p`; a sidecar may say more
    (toolchain/readers/facts/sidecar.py), and must for a NIR graph and for a netx file of lava-dl.

    Weights are float32: float64 ones are rounded. Nothing stored in the file is executed.
    Everything that was assumed stands in `policy.provenance.assumptions`.

    Args:
        path: The checkpoint.
        activation: Of the hidden layers, where the file does not say it.
        squash: What makes actions of the last layer: `tanh`, `clip`, `none` or `argmax`.
        action_limit: A positive number, or one per action channel.
        normalizer: The path of a VecNormalize pickle (of a mean_var pickle for PopSAN), "none", or
            None to look beside a Stable-Baselines3 zip or a PopSAN actor.
        environment: Gives sizes and action bounds.
        action_output: The output of a graph that is the deterministic action, where it has several.

    Returns:
        The policy.

    Raises:
        InputError: For every file that cannot be converted exactly as it was trained.
    """
    return load_options(
        path,
        ReadOptions(
            activation,
            squash,
            action_limit,
            normalizer,
            environment or EnvironmentFacts(),
            action_output,
        ),
    )


def load_options(path: str | os.PathLike[str], options: ReadOptions) -> AnyPolicy:
    """Read a policy as `load_policy` does, by options that are checked already."""
    return read_policy(read_content(path), options)


def read_policy(content: FileContent, options: ReadOptions) -> AnyPolicy:
    """Read the policy in a file's bytes by the reader that recognises them."""
    kind = detect_format(content)
    chosen = reader(kind)
    if options.action_output is not None and not chosen.graph:
        raise InputError(
            content.name,
            "only a graph has named outputs",
            got=f"--action-output for a {kind} file",
            fix="leave --action-output out",
        )
    return chosen.read(content, options)
