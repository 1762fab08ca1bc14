"""A trained policy in, a deployable spiking artifact out: the pipeline's one orchestrator."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import (
    PROBE_DECISIONS,
    Artifact,
    EnvironmentRecord,
    Probe,
    check,
)
from spikeport.toolchain.conversion.event_curves import event_thresholds
from spikeport.toolchain.conversion.schemes.rate import rate_network
from spikeport.toolchain.conversion.schemes.rate_thresholds import SEARCHED_FROM, SHARES
from spikeport.toolchain.conversion.schemes.sigma_delta import sigma_delta_network
from spikeport.toolchain.conversion.signal_statistics import PolicyStatistics, measure
from spikeport.toolchain.conversion.states import Calibration
from spikeport.toolchain.conversion.thresholds import maximum_thresholds, sensitivity_thresholds
from spikeport.toolchain.errors import InputError, did_you_mean
from spikeport.toolchain.network.integer_network import DIFFERENTIAL_TIMESTEPS, Network
from spikeport.toolchain.neurons import SHORT_NAMES
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy
from spikeport.toolchain.policies.spiking_policy import AnyPolicy
from spikeport.toolchain.quantization.equalisation import equalised

DEFAULT_TIMESTEPS = {"sdn": 1, "if": 16, "snm": 8, "mt": 4, "dc": 4}
DEFAULT_ALPHA = {"sdn": 0.0, "if": 0.5, "snm": 0.0, "mt": 0.0, "dc": 0.0}
DEFAULT_ACTION_ERROR = 0.1
TRAINED = ("lif", "leaky")  # of networks that were trained as spiking
ALLOCATIONS = ("sensitivity", "events")
SYNTHETIC = 32


@dataclass(frozen=True)
class ConversionOptions:
    """What a user may choose; None takes the neuron's default (contract section 8)."""

    neuron: str = "sdn"
    timesteps: int | None = None
    alpha: float | None = None
    weight_bits: int = 8
    action_error: float | None = (
        None  # None: DEFAULT_ACTION_ERROR, tightened where the closed loop asks for it
    )
    error_shares: tuple[
        float, ...
    ] = ()  # of the squared action error: input, then hidden layers; (): what costs least
    triggers: tuple[int, ...] = ()  # sdn, per hidden layer; (): 1 each
    allocation: str = (
        "sensitivity"  # sdn: thresholds from the closed formula, or from measured `events`
    )
    thrift: float = (
        0.0  # sdn: squared action error that a synop per MAC saved is worth; 0 keeps every synapse
    )
    threshold_shares: tuple[
        float, ...
    ] = ()  # dc: of the largest activation, the best for each neuron; (): the closed loop chooses
    resync_every: int = 0
    prune_dead: bool = False
    keep_source: bool = True
    finetune: bool = False  # sdn: distil the policy into the integers (toolchain/finetuning)

    def __post_init__(self) -> None:
        if self.neuron not in (*SHORT_NAMES, *TRAINED):
            known = (*SHORT_NAMES, *TRAINED)
            fix = did_you_mean(self.neuron, known) or "--neuron sdn"
            raise InputError(
                "--neuron", "neuron not available", got=self.neuron, limit=", ".join(known), fix=fix
            )
        if not 2 <= self.weight_bits <= 8:
            raise InputError(
                "--weight-bits",
                "weights need a width that holds something",
                got=self.weight_bits,
                limit="2..8",
                why="symmetric weights of 1 bit are all zero"
                if self.weight_bits < 2
                else "a synapse has 8 bits",
                fix="--weight-bits 8",
            )
        if not 1e-6 <= self.wanted_error <= 10:
            raise InputError(
                "--action-error",
                "not a usable error",
                got=self.action_error,
                limit="1e-6..10",
                fix="--action-error 0.1",
            )
        if not 0 <= self.alpha_64ths <= 64:
            raise InputError(
                "--alpha",
                "the residual's share is out of range",
                got=self.alpha,
                limit="0..1",
                fix="--alpha 0.5",
            )
        if self.neuron == "sdn" and (self.steps != 1 or self.alpha_64ths):
            raise InputError(
                "--neuron sdn",
                "has one timestep and no residual",
                got=f"timesteps {self.steps}, alpha {self.alpha}",
                limit="timesteps 1, alpha 0",
                fix=("leave --timesteps and --alpha away", "--neuron if"),
            )
        if not 1 <= self.steps <= 1024:
            raise InputError(
                "--timesteps",
                "out of range",
                got=self.steps,
                limit="1..1024",
                fix="leave --timesteps away",
            )
        if self.neuron == "dc" and self.steps not in DIFFERENTIAL_TIMESTEPS:
            raise InputError(
                "--timesteps",
                "dc keeps its state in units of 1 / lcm(1..T), which must leave room in 24 bits",
                got=self.steps,
                limit=", ".join(map(str, DIFFERENTIAL_TIMESTEPS)),
                fix=("--timesteps 4", "--neuron mt"),
            )
        if self.neuron != "sdn" and (
            self.error_shares or self.triggers or self.thrift or self.allocation != "sensitivity"
        ):
            raise InputError(
                "--error-shares/--triggers/--allocation/--thrift",
                "belong to sdn",
                got=f"--neuron {self.neuron}",
                limit="sdn",
                fix="leave them away",
            )
        if self.neuron != "sdn" and self.finetune:
            raise InputError(
                "--finetune",
                "distils into sdn's integers only",
                got=f"--neuron {self.neuron}",
                limit="sdn",
                fix=("--neuron sdn", "leave --finetune away"),
            )
        if self.finetune and self.prune_dead:
            raise InputError(
                "--finetune",
                "distils into all neurons of the policy",
                got="--prune-dead",
                fix=("leave --prune-dead away", "leave --finetune away"),
            )
        if self.threshold_shares and not self.searches_thresholds:
            got = f"--neuron {self.neuron}, {self.steps} timesteps"
            limit = f"dc with {SEARCHED_FROM} timesteps or more"
            raise InputError(
                "--threshold-shares",
                "belong to differential coding",
                got=got,
                limit=limit,
                fix="leave them away",
            )
        if not all(0.05 <= share <= 20 for share in self.threshold_shares):
            raise InputError(
                "--threshold-shares",
                "a share is not usable",
                got=self.threshold_shares,
                limit="0.05..20",
                fix="--threshold-shares 1,0.8,0.6",
            )
        if not all(1e-6 <= share <= 1e6 for share in self.error_shares):
            raise InputError(
                "--error-shares",
                "a share is not usable",
                got=self.error_shares,
                limit="1e-6..1e6",
                fix="--error-shares 1,1,1",
            )
        if not all(1 <= trigger <= 4096 for trigger in self.triggers):
            raise InputError(
                "--triggers",
                "a trigger is out of range",
                got=self.triggers,
                limit="1..4096",
                fix="--triggers 2,2",
            )
        if self.allocation not in ALLOCATIONS:
            raise InputError(
                "--allocation",
                "unknown rule",
                got=self.allocation,
                limit=", ".join(ALLOCATIONS),
                fix="--allocation sensitivity",
            )
        if not 0 <= self.thrift <= 100:
            raise InputError(
                "--thrift",
                "out of range",
                got=self.thrift,
                limit="0 (keep every synapse) to 100",
                fix="--thrift 0.05",
            )
        if self.resync_every < 0:
            raise InputError(
                "--resync-every",
                "out of range",
                got=self.resync_every,
                limit="0 (never) or more",
                fix="--resync-every 0",
            )

    @property
    def wanted_error(self) -> float:
        """RMS error of the squashed action that thresholds aim at, in units of half the action's
        range.
        """
        if self.action_error is None:
            return DEFAULT_ACTION_ERROR
        return self.action_error

    @property
    def shares(self) -> tuple[float, ...]:
        return self.threshold_shares or SHARES[0]

    @property
    def searches_thresholds(self) -> bool:
        """Whether each neuron's threshold is chosen among shares of its largest activation."""
        return self.neuron == "dc" and self.steps >= SEARCHED_FROM

    @property
    def steps(self) -> int:
        # lif: the checkpoint's
        if self.timesteps is None:
            return DEFAULT_TIMESTEPS.get(self.neuron, 1)
        return self.timesteps

    @property
    def alpha_64ths(self) -> int:
        if self.alpha is None:
            alpha = DEFAULT_ALPHA.get(self.neuron, 0.0)
        else:
            alpha = self.alpha
        if np.isfinite(alpha):
            return round(alpha * 64)
        return -1


def convert(
    policy: Policy,
    calibration: Calibration,
    options: ConversionOptions,
    environment: EnvironmentRecord | None = None,
    seed: int = 0,
    statistics: PolicyStatistics | None = None,
) -> Artifact:
    """Convert a policy with the states it was calibrated on.

    `statistics` are `measure(policy, calibration)`, for who converts the same policy many times.
    Raises InputError for a policy that the neuron cannot carry and for options that conflict with
    the range proof.
    """
    refuse_what_neuron_cannot_carry(policy, options)
    refuse_wrong_lengths(policy, options)
    statistics = statistics or measure(policy, calibration)
    dead = [
        (signal.high <= signal.low) | (signal.high <= 0) & (layer.activation == "relu")
        for signal, layer in zip(statistics.signals[1:], policy.layers[:-1], strict=True)
    ]
    converted = policy
    if options.prune_dead:
        converted = without_neurons(
            policy,
            [
                mask & (layer.activation == "relu")
                for mask, layer in zip(dead, policy.layers[:-1], strict=True)
            ],
        )
        statistics = measure(converted, calibration)
    network = _quantise(converted, statistics, options)
    recipe = common_recipe(calibration, network, seed) | {
        "weight_bits": options.weight_bits,
        "alpha": network.alpha / 64,
        "action_error": options.wanted_error if options.neuron == "sdn" else None,
        "silent_neurons": [int(mask.sum()) for mask in dead],
        "pruned": options.prune_dead,
        "allocation": options.allocation if options.neuron == "sdn" else None,
        "thrift": options.thrift,
        "threshold_shares": list(options.shares)
        if options.searches_thresholds and len(policy.layers) > 1
        else None,
    }
    return artifact_of(policy, network, calibration, recipe, environment, options.keep_source)


def common_recipe(calibration: Calibration, network: Network, seed: int) -> dict[str, Any]:
    """What every artifact records of its calibration."""
    return {
        "source": calibration.source,
        "steps": len(calibration.starts),
        "seed": seed,
        "seeds": list(calibration.seeds),
        "neuron": network.neuron,
    }


def artifact_of(
    policy: AnyPolicy,
    network: Network,
    calibration: Calibration,
    recipe: dict[str, Any],
    environment: EnvironmentRecord | None,
    keep_source: bool,
) -> Artifact:
    """The artifact of a policy and its network, checked.

    Raises InputError, all violations at once.
    """
    artifact = Artifact(
        network=network,
        observation=policy.observation,
        action=policy.action,
        provenance=policy.provenance,
        probe=make_probe(calibration),
        calibration=recipe,
        environment=environment,
        source=policy if keep_source else None,
        source_macs=policy.macs,
    )
    check(artifact, policy.provenance.file)
    return artifact


def refuse_what_neuron_cannot_carry(policy: Policy, options: ConversionOptions) -> None:
    """Raise InputError naming every layer whose activation the neuron cannot express."""
    if options.neuron in TRAINED:
        raise InputError(
            policy.provenance.file,
            f"{options.neuron} runs networks that were trained as spiking",
            got=f"an ANN ({policy.provenance.family})",
            limit="a PopSAN, Proxy-Target, SDDPG or snnTorch checkpoint",
            fix=("--neuron sdn", "--neuron if"),
        )
    foreign = [
        f"layer {index} is {layer.activation}"
        for index, layer in enumerate(policy.layers[:-1])
        if layer.activation != "relu"
    ]
    if options.neuron != "sdn" and foreign:
        raise InputError(
            policy.provenance.file,
            f"{options.neuron} neurons carry relu only: {', '.join(foreign)}",
            why="a rate of spikes is never negative and grows linearly",
            fix="--neuron sdn, which carries any scalar activation",
        )
    if options.finetune and policy.action.discrete:
        raise InputError(
            policy.provenance.file,
            "a discrete action is not distilled",
            got="--finetune",
            why="its loss is the error of a continuous action",
            fix=("leave --finetune away", "--weight-bits 8"),
        )


def refuse_wrong_lengths(policy: Policy, options: ConversionOptions) -> None:
    """Raise InputError where a list of options does not have one entry per signal or hidden layer."""
    if options.threshold_shares and len(policy.layers) == 1:
        raise InputError(
            "--threshold-shares",
            "the policy has no hidden layer, so no thresholds",
            got=options.threshold_shares,
            fix="leave them away",
        )
    for option, values, wanted in (
        ("--error-shares", options.error_shares, len(policy.layers)),
        ("--triggers", options.triggers, len(policy.layers) - 1),
    ):
        if values and len(values) != wanted:
            if option == "--error-shares":
                what = "one share for the input and one per hidden layer"
            else:
                what = "one trigger per hidden layer"
            raise InputError(
                option,
                what,
                got=f"{len(values)} numbers",
                limit=wanted,
                fix=f"{option} {','.join('1' * wanted)}",
            )


def _quantise(policy: Policy, statistics: PolicyStatistics, options: ConversionOptions) -> Network:
    if options.neuron == "sdn":
        if options.allocation == "events":
            thresholds = event_thresholds(
                statistics, options.wanted_error, options.error_shares, options.triggers
            )
        else:
            thresholds = sensitivity_thresholds(
                statistics.signals, options.wanted_error, options.error_shares
            )
            thresholds = equalised(thresholds, statistics.signals, policy.layers)
        return sigma_delta_network(
            policy,
            statistics,
            thresholds,
            options.wanted_error,
            options.weight_bits,
            options.resync_every,
            options.triggers,
            options.thrift,
        )
    maxima = [maximum_thresholds(np.maximum(pre, 0))[0] for pre in statistics.pre_activations[:-1]]
    network = rate_network(
        policy,
        statistics,
        maxima,
        options.weight_bits,
        options.steps,
        options.alpha_64ths,
        SHORT_NAMES[options.neuron],
        options.shares,
    )
    return dataclasses.replace(network, resync_every=options.resync_every)


def without_neurons(policy: Policy, silent: list[NDArray[np.bool_]]) -> Policy:
    """The policy without the marked hidden neurons; at least one neuron stays in every layer."""
    layers = list(policy.layers)
    for index, mask in enumerate(silent):
        if not mask.all():
            keep = ~mask
        else:
            keep = np.arange(len(mask)) == 0
        layers[index] = DenseLayer(
            layers[index].weight[keep], layers[index].bias[keep], layers[index].activation
        )
        layers[index + 1] = DenseLayer(
            layers[index + 1].weight[:, keep], layers[index + 1].bias, layers[index + 1].activation
        )
    return dataclasses.replace(policy, layers=tuple(layers))


def make_probe(calibration: Calibration) -> Probe:
    """256 observations.

    Four stretches of calibration with an episode start each, one resync, 32 synthetic ones.
    """
    stretch = (PROBE_DECISIONS - SYNTHETIC) // 4
    values = calibration.observations
    flags = np.zeros(PROBE_DECISIONS, np.uint8)
    low = values.min(0)
    high = values.max(0)
    mean = values.mean(0)
    chosen = []
    for part in range(4):
        first = int(part * max(len(values) - stretch, 0) / 3)
        chosen.append(values[np.minimum(np.arange(first, first + stretch), len(values) - 1)])
        flags[part * stretch] = 1
    flags[2 * stretch + stretch // 2] = 2
    span = np.maximum(high - low, 1e-3)
    ends = [low, high, low - 100 * span, high + 100 * span, mean, mean, mean, np.zeros_like(mean)]
    corners = np.where(
        np.random.default_rng(0).random((SYNTHETIC - 2 * len(ends), len(mean))) < 0.5, low, high
    )
    flags[4 * stretch] = flags[4 * stretch + 2 * len(ends)] = 1
    return Probe(np.concatenate([*chosen, np.array(ends + ends[::-1]), corners]), flags)
