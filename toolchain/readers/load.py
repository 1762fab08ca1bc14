"""The front door of the readers: a checkpoint file in, a Policy out."""

from __future__ import annotations

import os
from pathlib import Path

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.regular_file import read_content
from spikeport.toolchain.policies.policy_interface import AnyPolicy
from spikeport.toolchain.readers.detect import detect_format
from spikeport.toolchain.readers.graphs.exported_reader import read_exported
from spikeport.toolchain.readers.graphs.onnx_reader import read_onnx
from spikeport.toolchain.readers.graphs.torchscript_reader import read_torchscript
from spikeport.toolchain.readers.netx.netx_policy import read_netx_policy
from spikeport.toolchain.readers.nir.nir_policy import read_nir_policy
from spikeport.toolchain.readers.reading_options import ReadOptions
from spikeport.toolchain.readers.sb3.sb3_zip import read_sb3_zip
from spikeport.toolchain.readers.torch.sddpg import is_sddpg, read_sddpg
from spikeport.toolchain.readers.torch.state_dict import read_state_dict

GRAPHS = ("onnx", "torch.export", "torchscript")
READERS = {
    "stable-baselines3": read_sb3_zip, "onnx": read_onnx, "torch.export": read_exported, "torchscript": read_torchscript,
    "nir": read_nir_policy, "netx": read_netx_policy,
}  # fmt: skip


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
    """The trained policy in the file at `path`, whatever its name: a torch state_dict, a
    safetensors file, a checkpoint of RSL-RL, rl_games or CleanRL, a Stable-Baselines3 zip (TD3,
    DDPG, SAC, TQC, PPO, A2C, TRPO, DQN, QR-DQN), an ONNX graph, a torch.export program or a
    TorchScript archive. Spiking actors: a PopSAN or Proxy-Target state_dict, or one of SDDPG's two
    pickles, `*_weights.p` or `*_bias.p`; a sidecar may say more (toolchain/readers/facts/sidecar.py),
    and must for a NIR graph and for a netx file of lava-dl.

    `activation` and `squash` (`tanh`, `clip`, `none`, `argmax`) say what the file does not;
    `action_limit` is a positive number or one per action channel; `normalizer` is the path of a
    VecNormalize pickle (of a mean_var pickle for PopSAN), "none", or None to look beside a
    Stable-Baselines3 zip or a PopSAN actor. `environment` gives sizes and action bounds.
    `action_output` names the output of a graph that is the deterministic action, where it has
    several. Everything that was assumed stands in `policy.provenance.assumptions`.

    Weights are float32: float64 ones are rounded. Nothing stored in the file is executed. Raises
    InputError for every file that cannot be converted exactly as it was trained.
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
    """As `load_policy`, for options that are checked already."""
    content = read_content(path)
    if is_sddpg(content):
        return read_sddpg(content, options)
    kind = detect_format(content)
    if options.action_output is not None and kind not in GRAPHS:
        raise InputError(
            content.name,
            "only a graph has named outputs",
            got=f"--action-output for a {kind} file",
            fix="leave --action-output out",
        )
    if kind in READERS:
        return READERS[kind](content, options)
    return read_state_dict(content, options, safetensors=kind == "safetensors")
