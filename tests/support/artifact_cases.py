"""The cases whose artifacts must not change, by name."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from spikeport import Artifact
from tests.support.artifact_conversions import (
    DRIFT,
    SHIPPED,
    SIDES,
    ann,
    in_environment,
    leaky,
    population,
    public,
    sddpg,
    shipped,
    stored,
)
from tests.support.artifact_hashes import Hashes, hashes, written


@dataclass(frozen=True)
class Case:
    """A conversion: `slow` ones are for the slow tests, `public` ones need public policies."""

    name: str
    make: Callable[[], Artifact]
    slow: bool = False
    public: bool = False
    network_only: bool = False

    def hashes(self) -> Hashes:
        found = hashes(written(self.make()))
        return {"network": found["network"]} if self.network_only else found


SDN: dict[str, dict[str, Any]] = {
    "sdn": {},
    "sdn-no-source": {"keep_source": False},
    "sdn-triggers": {"triggers": (2, 3)},
    "sdn-thrift": {"thrift": 0.05},
    "sdn-events": {"allocation": "events"},
    "sdn-events-triggers": {"allocation": "events", "triggers": (2, 2)},
    "sdn-shares": {"error_shares": (1.0, 2.0, 0.5)},
    "sdn-events-shares": {"allocation": "events", "error_shares": (1.0, 2.0, 0.5)},
    "sdn-resync": {"resync_every": 7},
    "sdn-6-bits": {"weight_bits": 6},
    "sdn-4-bits": {"weight_bits": 4},
    "sdn-2-bits": {"weight_bits": 2},
    "sdn-error": {"action_error": 0.02},
    "sdn-seed": {"seed": 3},
}

PRUNED: dict[str, dict[str, Any]] = {"sdn-pruned": {"prune_dead": True}}

RATE: dict[str, dict[str, Any]] = {
    "if": {},
    "if-t1": {"timesteps": 1},
    "if-t5-a0": {"timesteps": 5, "alpha": 0.0},
    "if-t5-a1": {"timesteps": 5, "alpha": 1.0},
    "if-4-bits": {"weight_bits": 4},
    "if-pruned": {"prune_dead": True},
    "if-resync": {"resync_every": 5},
    "if-no-source": {"keep_source": False},
    "snm": {},
    "snm-t4-a05": {"timesteps": 4, "alpha": 0.5},
    "snm-6-bits": {"weight_bits": 6},
    "snm-pruned": {"prune_dead": True},
    "mt": {},
    "mt-t1": {"timesteps": 1},
    "mt-t6-a05": {"timesteps": 6, "alpha": 0.5},
    "mt-4-bits": {"weight_bits": 4},
    "dc": {},
    **{f"dc-t{timesteps}": {"timesteps": timesteps} for timesteps in (2, 3, 5, 6, 8)},
    "dc-shares-1": {"threshold_shares": (1.0,)},
    "dc-shares": {"threshold_shares": (1.3, 0.9, 0.7), "timesteps": 8},
    "dc-a05": {"alpha": 0.5},
    "dc-4-bits": {"weight_bits": 4},
    "dc-pruned": {"prune_dead": True},
    "dc-resync": {"resync_every": 5},
    "dc-no-source": {"keep_source": False},
}

NEURONS: dict[str, dict[str, Any]] = {neuron: {} for neuron in ("sdn", "if", "snm", "mt", "dc")}
FEW_SDN = ("sdn", "sdn-triggers", "sdn-events", "sdn-thrift", "sdn-4-bits", "sdn-no-source")

PUBLIC = {
    "td3_style/TD3_Hopper-v4_actor": 3,
    "td3_style/TD3_Walker2d-v4_actor": 6,
    "td3_style/TD3_HalfCheetah-v4_actor": 6,
    "td3_style/DDPG_HalfCheetah-v4_actor": 6,
    "td3_style/SAC_Hopper-v4_actor": 3,
    "sb3/tqc-Hopper-v3.zip": 0,
    "sb3/sac-Swimmer-v3.zip": 0,
    "sb3/ppo-HalfCheetah-v3/HalfCheetah-v3.zip": 0,
    "sb3/trpo-Walker2d-v3/Walker2d-v3.zip": 0,
}


def cases() -> dict[str, Case]:
    """All cases by name, public ones too."""
    found = [*_recorded_anns(), *_spiking(), *_closed_loops(), *_shipped(), *_public()]
    return {case.name: case for case in found}


def _case(name: str, make: Callable[..., Artifact], *arguments: Any, **choices: Any) -> Case:
    return Case(name, functools.partial(make, *arguments, **choices))


def _recorded_anns() -> Iterator[Case]:
    few = {label: SDN[label] for label in FEW_SDN}
    events = {"sdn-events": SDN["sdn-events"]}
    tables = {"relu": SDN | PRUNED | RATE}
    tables |= {activation: few for activation in ("tanh", "silu", "elu", "leaky_relu")}
    tables |= {"relu-argmax": NEURONS | events | {"dc-t8": RATE["dc-t8"]}}
    tables |= {"tanh-argmax": {"sdn": {}} | events}
    plain = ("relu-clip-normalised", "relu-time", "relu-deep", "relu-flat", "relu-clip")
    tables |= {kind: NEURONS for kind in plain}
    for kind, table in tables.items():
        for label, choices in table.items():
            yield _case(f"ann/{kind}/{label}", ann, kind, neuron=label.split("-")[0], **choices)
    finetuned = _case("ann/relu/sdn-finetuned", ann, "relu", weight_bits=4, finetune=True)
    yield dataclasses.replace(finetuned, slow=True)


def _spiking() -> Iterator[Case]:
    for neuron in ("clif", "lif", "plif"):
        yield _case(f"popsan/{neuron}", population, neuron)
    yield _case("popsan/clif-6-bits", population, "clif", weight_bits=6)
    yield _case("popsan/clif-no-source", population, "clif", keep_source=False)
    yield _case("sddpg/recorded", sddpg, recorded=True)
    yield _case("sddpg/synthetic", sddpg, recorded=False)
    yield _case("sddpg/4-bits", sddpg, recorded=True, weight_bits=4)
    yield _case("leaky/leaky", leaky)
    yield _case("leaky/6-bits", leaky, weight_bits=6)
    yield _case("leaky/no-source", leaky, keep_source=False)
    yield _case("env/leaky", leaky, DRIFT)


def _closed_loops() -> Iterator[Case]:
    for kind, env in (("relu-drift", DRIFT), ("tanh-drift", DRIFT), ("relu-sides", SIDES)):
        for neuron in NEURONS if kind.startswith("relu") else ("sdn",):
            yield _case(f"env/{kind}/{neuron}", in_environment, kind, env, neuron=neuron)
        auto = _case(f"env/{kind}/auto", in_environment, kind, env, neuron="auto")
        yield dataclasses.replace(auto, network_only=True)
    finetuned = _case(
        "env/relu-drift/sdn-finetuned",
        in_environment,
        "relu-drift",
        DRIFT,
        weight_bits=4,
        finetune=True,
    )
    yield dataclasses.replace(finetuned, slow=True)


def _shipped() -> Iterator[Case]:
    pendulum = ("td3-InvertedDoublePendulum-v5.zip", "InvertedDoublePendulum-v5")
    cheetah = SHIPPED / "td3-HalfCheetah-v5.pt"
    proxy = SHIPPED / "proxy-lif-HalfCheetah-v5.zip"
    found = [_case(f"shipped/pendulum/{n}", shipped, *pendulum, neuron=n) for n in ("sdn", "dc")]
    found += [_case(f"shipped/cheetah/{n}", stored, cheetah, 6, neuron=n) for n in NEURONS]
    found += [_case("shipped/proxy-lif", stored, proxy, 0)]
    for case in found:
        yield dataclasses.replace(case, slow=True)


def _public() -> Iterator[Case]:
    found = []
    for path, actions in PUBLIC.items():
        for neuron in ("sdn",) if "trpo" in path else NEURONS:
            found.append(_case(f"public/{path}/{neuron}", public, path, actions, neuron=neuron))
    found.append(_case("public/popsan", public, "popsan/model0_e100.pt", 6))
    found.append(_case("public/sddpg", public, "sddpg/sddpg_bw_5_weights.p", 0))
    for case in found:
        yield dataclasses.replace(case, slow=True, public=True)


SMALL_FILES = {
    "sdn.spk": functools.partial(ann, "relu-tiny", neuron="sdn", triggers=(2, 1)),
    "dc.spk": functools.partial(ann, "relu-tiny", neuron="dc"),
    "lif.spk": functools.partial(population, "clif"),
    "leaky.spk": leaky,
}
