"""What is measured, by name: the rows of the tables, and the policies behind them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

OWN_POLICY = Path(__file__).parents[1] / "examples" / "policies" / "td3-HalfCheetah-v5.pt"
BATCH = 256
SDN = "sdn"
RATE = "if, T=8"
ANN = "source ANN"
TIMESTEPS = 8
ALPHA = 0.5
ACTION_ERROR = 0.1


@dataclass(frozen=True)
class Row:
    """One contender: what runs, which network, and how many environments decide at once."""

    runs: str
    network: str
    batch: int = 1

    @property
    def rival(self) -> Row:
        """The row of `fast` that this one is compared with.

        The same network, or sdn where it is none of ours.
        """
        return Row(FAST, RATE if self.network == RATE else SDN, self.batch)


@dataclass(frozen=True)
class Subject:
    """A policy in its environment.

    `limit`: the closed loop may take so many times as long as the environment alone.
    """

    environment: str
    checkpoint: Path
    limit: float


FAST = "`fast`"
REFERENCE = "`reference`"
LAVA_DIRECT = "`lava-direct`"
LAVA = "`lava`, all cores"
EAGER = "torch, eager"
TUNED = "torch, tuned by hand"
TORCH = "torch"
ONNX = "onnxruntime"
ONNX_BOUND = "onnxruntime, bound buffers"
ENVIRONMENT = "`env.step` alone"
ONE = "one episode"
MANY = "10 episodes at once"

CONTENDERS = (
    *(Row(FAST, network, batch) for network in (SDN, RATE) for batch in (1, BATCH)),
    *(Row(runs, network) for runs in (REFERENCE, LAVA_DIRECT, LAVA) for network in (SDN, RATE)),
    *(Row(runs, RATE, batch) for runs in (EAGER, TUNED) for batch in (1, BATCH)),
    Row(ONNX, ANN),
    Row(ONNX_BOUND, ANN),
    Row(ONNX, ANN, BATCH),
    Row(TORCH, ANN),
    Row(TORCH, ANN, BATCH),
)


def subjects(public: Path | None) -> tuple[Subject, ...]:
    """Our own policy and, where `public` is the folder of the public policies, two of those."""
    own = (Subject("HalfCheetah-v5", OWN_POLICY, 1.3),)
    if public is None:
        return own
    folder = public / "td3_style"
    return (
        *own,
        Subject("HalfCheetah-v4", folder / "TD3_HalfCheetah-v4_actor", 1.3),
        Subject("Hopper-v4", folder / "TD3_Hopper-v4_actor", 1.15),
    )


def decision_rows(public: Path | None) -> tuple[Row, ...]:
    """The rows of the table of decisions, in order."""
    return (*CONTENDERS, *(Row(ENVIRONMENT, subject.environment) for subject in subjects(public)))


def loop_rows(public: Path | None) -> tuple[tuple[str, str], ...]:
    """The rows of the table of closed loops, in order: environment, how it is rolled out."""
    return tuple((subject.environment, way) for subject in subjects(public) for way in (ONE, MANY))
