"""Checkpoints in the layouts that RSL-RL, rl_games and CleanRL write, and what acted in them.

Names, shapes and types are those of rsl-rl-lib 2.3, 3.1 and 5.5, of rl-games 1.6 and of CleanRL's
scripts; the forward passes are written from their documented equations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from tests.support.policy_files import torch_bytes, write

LOW = np.array([-1.0, -2.0, 0.0])
HIGH = np.array([1.0, 3.0, 0.5])
INPUTS = 6
ACTIONS = 3
HIDDEN = (16, 12, 8)
Stored = Any
OPTIMIZER = {
    "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2)}},
    "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "params": [0]}],
}


def mlp(
    sizes: tuple[int, ...], activation: type[nn.Module], seed: int = 0, spread: float = 1.5
) -> nn.Sequential:
    """Linear layers with an activation after each but the last.

    Weights under which outputs vary.
    """
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        layer = nn.Linear(inputs, outputs)
        with torch.no_grad():
            layer.weight.copy_(
                spread / inputs**0.5 * torch.randn(outputs, inputs, generator=generator)
            )
            layer.bias.copy_(0.3 * torch.randn(outputs, generator=generator))
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1])


def named(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """A state dict whose names have a prefix."""
    return {f"{prefix}{name}": value for name, value in module.state_dict().items()}


def observations(count: int = 64) -> np.ndarray:
    """Observations whose mean and spread are not those of a normaliser."""
    return np.random.default_rng(1).normal(0.5, 2.0, (count, INPUTS))


def empirical(prefix: str = "", seed: int = 2) -> dict[str, Tensor]:
    """Buffers of RSL-RL's EmpiricalNormalization, one channel that never varied among them."""
    generator = torch.Generator().manual_seed(seed)
    variance = 3 * torch.rand(1, INPUTS, generator=generator) + 0.1
    variance[0, 1] = 0.0
    mean = torch.randn(1, INPUTS, generator=generator)
    return {
        f"{prefix}_mean": mean,
        f"{prefix}_var": variance,
        f"{prefix}_std": variance.sqrt(),
        f"{prefix}count": torch.tensor(500),
    }


def empirically(buffers: dict[str, Tensor], prefix: str, x: Tensor) -> Tensor:
    """Observations as RSL-RL normalises them with those buffers."""
    return (x - buffers[f"{prefix}_mean"]) / (buffers[f"{prefix}_std"] + 1e-2)


def rsl_rl(
    version: int, normalised: bool = True, hidden: tuple[int, ...] = HIDDEN
) -> tuple[Stored, Any]:
    """(checkpoint, its actions for observations [n, obs]) of rsl-rl-lib 2, 3, 4 or 5."""
    actor = mlp((INPUTS, *hidden, ACTIONS), nn.ELU)
    critic = mlp((INPUTS, 8, 1), nn.ELU, 1)
    if normalised:
        norm = empirical()
    else:
        norm = {}
    stored: dict[str, Any] = {"optimizer_state_dict": OPTIMIZER, "iter": 5, "infos": None}
    if version <= 3:
        model = {"std": torch.ones(ACTIONS)} | named("actor.", actor) | named("critic.", critic)
        if version == 3:
            model |= {
                f"{part}_obs_normalizer.{name}": value
                for part in ("actor", "critic")
                for name, value in norm.items()
            }
        elif normalised:
            stored |= {
                "obs_norm_state_dict": norm,
                "privileged_obs_norm_state_dict": empirical(seed=3),
            }
        stored |= {"model_state_dict": model}
    else:
        if version == 4:
            std = {"std": torch.ones(ACTIONS)}
        else:
            std = {"distribution.log_std_param": torch.zeros(ACTIONS)}
        inside = {f"obs_normalizer.{name}": value for name, value in norm.items()}
        stored |= {
            "actor_state_dict": inside | std | named("mlp.", actor),
            "critic_state_dict": inside | named("mlp.", critic),
        }
    return stored, lambda x: actor(empirically(norm, "", x) if normalised else x)


def running(seed: int = 2) -> dict[str, Tensor]:
    """Buffers of rl_games' RunningMeanStd, float64."""
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(INPUTS, generator=generator).double()
    variance = (0.3 * torch.rand(INPUTS, generator=generator) + 0.05).double()
    return {
        "running_mean": mean,
        "running_var": variance,
        "count": torch.tensor(500.0, dtype=torch.float64),
    }


def rl_games(
    normalised: bool = True,
    discrete: bool = False,
    compiled: bool = False,
    beside: bool = False,
    hidden: tuple[int, ...] = HIDDEN,
) -> tuple[Stored, Any]:
    """(checkpoint, its actions for observations [n, obs]) of rl-games.

    `beside`: the statistics as older versions kept them.
    """
    trunk = mlp((INPUTS, *hidden, ACTIONS), nn.ELU)
    outputs = ACTIONS
    head = trunk[-1]
    if compiled:
        prefix = "_orig_mod."
    else:
        prefix = ""
    statistics = running()
    model = named("a2c_network.actor_mlp.", nn.Sequential(*trunk[:-1]))
    model |= named("a2c_network.logits." if discrete else "a2c_network.mu.", head) | named(
        "a2c_network.value.", nn.Linear(8, 1)
    )
    model |= {} if discrete else {"a2c_network.sigma": torch.zeros(outputs)}
    model |= {
        f"value_mean_std.{name}": torch.ones(())
        for name in ("running_mean", "running_var", "count")
    }
    if normalised and not beside:
        model |= {f"running_mean_std.{name}": value for name, value in statistics.items()}
    stored: dict[str, Any] = {
        "model": {prefix + name: value for name, value in model.items()},
        "epoch": 3,
        "frame": 960,
        "optimizer": OPTIMIZER,
    }
    stored |= {"last_mean_rewards": np.float32(12.5), "env_state": None}
    stored |= {"running_mean_std": statistics} if beside else {}

    def act(x: Tensor) -> Tensor:
        if normalised:
            x = torch.clamp(
                (x - statistics["running_mean"].float())
                / torch.sqrt(statistics["running_var"].float() + 1e-5),
                -5.0,
                5.0,
            )
        y = trunk(x)
        if discrete:
            return y.argmax(-1, keepdim=True)
        low = torch.tensor(LOW, dtype=torch.float32)
        high = torch.tensor(HIGH, dtype=torch.float32)
        return torch.clamp(y, -1.0, 1.0) * (high - low) / 2 + (high + low) / 2

    return stored, act


class CleanActor(nn.Module):
    """fc1, fc2 and a head behind tanh, action_scale and action_bias."""

    def __init__(self, head: str = "fc_mu") -> None:
        super().__init__()
        first, _, second, _, last = mlp((INPUTS, 16, 12, ACTIONS), nn.ReLU)
        self.fc1 = first
        self.fc2 = second
        self.head = head
        setattr(self, head, last)
        if head == "fc_mean":
            self.fc_logstd = nn.Linear(12, ACTIONS)
        self.register_buffer("action_scale", torch.tensor((HIGH - LOW) / 2, dtype=torch.float32))
        self.register_buffer("action_bias", torch.tensor((HIGH + LOW) / 2, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        y = getattr(self, self.head)(torch.relu(self.fc2(torch.relu(self.fc1(x)))))
        return torch.tanh(y) * self.action_scale + self.action_bias


def cleanrl(script: str) -> tuple[Stored, Any]:
    """(saved file, its actions) of the scripts td3, ddpg, sac and ppo_continuous_action."""
    if script == "ppo":
        actor = mlp((INPUTS, 16, 12, ACTIONS), nn.Tanh)
        stored = (
            {"actor_logstd": torch.zeros(1, ACTIONS)}
            | named("critic.", mlp((INPUTS, 8, 1), nn.Tanh, 1))
            | named("actor_mean.", actor)
        )
        low = torch.tensor(LOW, dtype=torch.float32)
        high = torch.tensor(HIGH, dtype=torch.float32)
        return stored, lambda x: torch.clamp(actor(x), low, high)
    actor = CleanActor("fc_mean" if script == "sac" else "fc_mu")
    critic = {
        f"fc{number}.{part}": torch.zeros(3, 3)
        for number in (1, 2, 3)
        for part in ("weight", "bias")
    }
    stored = {
        "td3": (actor.state_dict(), critic, critic),
        "ddpg": (actor.state_dict(), critic),
        "sac": actor.state_dict(),
    }[script]
    return stored, actor


BOX = EnvironmentFacts("E-v0", INPUTS, 100, LOW, HIGH)


def saved(tmp_path: Path, stored: object) -> Path:
    """A checkpoint written with torch.save."""
    return write(tmp_path / "checkpoint.pt", torch_bytes(stored))
