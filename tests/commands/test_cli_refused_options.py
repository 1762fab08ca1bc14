"""Options that the commands refuse, each with its place, cause and way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.front_door import (
    PENDULUM,
    PENDULUM_ENV,
    SB3,
    TOY,
    command,
    listing,
    refused,
)

pytest.importorskip("torch")

OPTIONS: list[tuple[tuple[object, ...], tuple[object, ...], str]] = [
    (
        SB3,
        ("--neuron", "sdnn"),
        r"--neuron: neuron not available \(got sdnn, limit .*\)\. Fix: did you mean 'sdn'",
    ),
    (
        SB3,
        ("--neuron", "izhikevich"),
        r"--neuron: neuron not available \(got izhikevich, limit .*\)\. Fix: --neuron sdn",
    ),
    (
        SB3,
        ("--timesteps", 4),
        (
            r"--neuron sdn: has one timestep and no residual \(got timesteps 4, .*\)\. Fix: leave"
            r" --timesteps and --alpha away or --neuron if"
        ),
    ),
    (SB3, ("--alpha", 0.5), r"--neuron sdn: has one timestep and no residual"),
    (
        SB3,
        ("--neuron", "if", "--timesteps", 0),
        r"--timesteps: out of range \(got 0, limit 1\.\.1024\)",
    ),
    (
        SB3,
        ("--neuron", "if", "--alpha", 1.5),
        r"--alpha: the residual's share is out of range \(got 1\.5, limit 0\.\.1\)",
    ),
    (
        SB3,
        ("--neuron", "if", "--alpha", "nan"),
        r"--alpha: the residual's share is out of range \(got nan",
    ),
    (
        SB3,
        ("--weight-bits", 1),
        (
            r"--weight-bits: .* \(got 1, limit 2\.\.8\)\. symmetric weights of 1 bit are all zero\."
            r" Fix: --weight-bits 8"
        ),
    ),
    (SB3, ("--weight-bits", 9), r"--weight-bits: .* \(got 9, limit 2\.\.8\)"),
    (SB3, ("--action-error", 0), r"--action-error: not a usable error \(got 0\.0"),
    (SB3, ("--action-error", "nan"), r"--action-error: not a usable error \(got nan"),
    (SB3, ("--resync-every", -1), r"--resync-every: out of range \(got -1"),
    (
        SB3,
        ("--calibration-steps", 99),
        r"--calibration-steps: too few states to calibrate on \(got 99, limit 100 or more\)",
    ),
    (SB3, ("--seed", -1), r"--seed: a seed is never negative \(got -1, limit 0 or more\)"),
    (SB3, ("--seed", 900_001), r"--seed: too large \(got 900001, limit 900000\)"),
    (
        SB3,
        ("--neuron", "dc", "--timesteps", 7),
        r"--timesteps: dc keeps its state .* \(got 7, limit 2, 3, 4, 5, 6, 8\)",
    ),
    (
        SB3,
        ("--finetune", "--prune-dead"),
        r"--finetune: distils into all neurons of the policy \(got --prune-dead\)",
    ),
    (
        SB3,
        ("--neuron", "mt", "--finetune"),
        r"--finetune: distils into sdn's integers only \(got --neuron mt, limit sdn\)",
    ),
    (
        SB3,
        ("--triggers", "1"),
        (
            r"--triggers: one trigger per hidden layer \(got 1 numbers, limit 2\)\. Fix:"
            r" --triggers 1,1"
        ),
    ),
    (
        SB3,
        ("--error-shares", "1,0,1"),
        r"--error-shares: a share is not usable \(got \(1\.0, 0\.0, 1\.0\), limit 1e-6\.\.1e6\)",
    ),
    (
        SB3,
        ("--neuron", "dc", "--threshold-shares", "1,0"),
        r"--threshold-shares: a share is not usable \(got \(1\.0, 0\.0\), limit 0\.05\.\.20\)",
    ),
    (
        SB3,
        ("--threshold-shares", "1"),
        (
            r"--threshold-shares: belong to differential coding \(got --neuron sdn, 1 timesteps,"
            r" limit dc with 3"
        ),
    ),
    (SB3, ("--error-shares", "1,9e-7,1"), r"--error-shares: a share is not usable"),
    (SB3, ("--error-shares", "1,1e300,1"), r"--error-shares: a share is not usable"),
    (SB3, ("--neuron", "dc", "--triggers", "2,2"), r"belong to sdn \(got --neuron dc, limit sdn\)"),
    (
        ("tune", PENDULUM, "-o", "same", "--env", PENDULUM_ENV, "--study", "same"),
        (),
        r"-o: would overwrite the study \(got same\)",
    ),
    (
        SB3,
        ("--activation", "relux"),
        r"unknown activation 'relux', known are .* did you mean 'relu'",
    ),
    (SB3, ("--action-limit", -1), r"--action-limit does not fit the action \(got \[-1\.0\]"),
    (SB3, ("--normalizer", "gone.pkl"), r"gone\.pkl: no such normaliser file"),
    (
        SB3,
        ("--observations", "obs.npy"),
        (
            r"convert: calibration needs the policy's own states \(got both, limit --env or"
            r" --observations\)"
        ),
    ),
    (
        SB3,
        ("--episode-starts", "obs.npy"),
        r"--episode-starts: marks the rows of recorded observations \(got no --observations\)",
    ),
    (
        SB3,
        ("--action-low", "-1", "--action-high", "1"),
        (
            r"--action-low/--action-high: the environment gives the bounds already \(got --env"
            r" InvertedDouble"
        ),
    ),
    (
        ("convert", PENDULUM, "-o", "x.spk"),
        (),
        (
            r"convert: calibration needs the policy's own states \(got neither, limit --env or"
            r" --observations\)"
        ),
    ),
    (
        SB3,
        ("--env", "InvertedDoublePendulm-v5"),
        (
            r"environment: unknown environment \(got InvertedDoublePendulm-v5, .* did you mean"
            r" 'InvertedDoublePendulum-v5'"
        ),
    ),
    (
        SB3,
        ("--env", "HalfCheetah-v3"),
        (
            r"environment HalfCheetah-v3: .* Fix: --env HalfCheetah-v4 or --env HalfCheetah-v5"
            r" \(the -v3 environments are gone"
        ),
    ),
    (
        SB3,
        ("--env", "InvertedDoublePendulum-v3"),
        (
            r"got InvertedDoublePendulum-v3, .* Fix: --env InvertedDoublePendulum-v4 or --env"
            r" InvertedDoublePendulum-v5"
        ),
    ),
    (
        SB3,
        ("--env", "Ant-v5"),
        (
            r"the policy's actions do not fit the environment \(got 1 outputs, limit 8 action"
            r" channels of Ant-v5\)"
        ),
    ),
    (
        SB3,
        ("--env", "tests.support.toy_environments:Raising-v0"),
        r"cannot be made: RuntimeError no driver for this robot",
    ),
    (
        SB3,
        ("-o", "gone/x.spk"),
        (
            r"gone/x\.spk: cannot be written: its folder does not exist\. Fix: give -o a path in an"
            r" existing folder"
        ),
    ),
    (SB3, ("-o", "."), r"\.: cannot be written: it is a folder"),
    (
        ("convert", "toy.pt", "-o", "toy.pt", "--env", PENDULUM_ENV),
        (),
        r"-o: would overwrite the checkpoint \(got toy\.pt\)",
    ),
    (
        ("convert", "gone.zip", "-o", "x.spk", "--env", PENDULUM_ENV),
        (),
        r"gone\.zip: no such checkpoint file\. Fix: check the path",
    ),
    (
        ("convert", ".", "-o", "x.spk", "--env", PENDULUM_ENV),
        (),
        r"a directory is not a checkpoint \(got a directory, limit a file\)",
    ),
    (
        TOY,
        ("--neuron", "if"),
        (
            r"toy\.pt: if neurons carry relu only: layer 0 is tanh, layer 1 is tanh\. .* Fix:"
            r" --neuron sdn, which carries any scalar activation"
        ),
    ),
    (
        TOY,
        ("--action-low", "-1,-1,-1", "--action-high", "1,1,1"),
        r"do not fit the environment \(got 2 outputs, limit 3 action channels of the environment\)",
    ),
    (
        TOY,
        ("--action-low", "-1,-1", "--action-high", "1,1,1"),
        r"--action-low/--action-high: the bounds have different lengths \(got 2 and 3",
    ),
    (
        TOY,
        ("--action-low", "-1"),
        r"action bounds need both ends\. Fix: give --action-low and --action-high",
    ),
    (TOY, ("--action-low", "1", "--action-high", "-1"), r"action bounds must satisfy low < high"),
    (
        ("convert", "toy.pt", "-o", "x.spk", "--observations", "obs.npy"),
        (),
        r"does not say its activation and squash \(got --activation and --squash not given\)",
    ),
]


@pytest.mark.parametrize(
    ("start", "options", "text"),
    OPTIONS,
    ids=[" ".join(map(str, options)) or text[:20] for _, options, text in OPTIONS],
)
def test_options(
    home: Path, start: tuple[object, ...], options: tuple[object, ...], text: str
) -> None:
    assert re.search(text, refused(home, *start, *options))


@pytest.mark.parametrize(
    "arguments",
    [("--squash", "tahn"), ("--action-low", "left"), ("--seed", "many"), ("--no-such-option",)],
    ids=str,
)
def test_options_that_are_not_even_numbers(home: Path, arguments: tuple[object, ...]) -> None:
    before = listing(home)
    result = command(*SB3, *arguments)
    assert (
        result.exit_code == 2
        and result.stdout == ""
        and "Error: " in result.stderr
        and "Usage: " in result.stderr
    )
    assert listing(home) == before
