"""An assessment as a picture: energies with their bands, and energy against the control rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from spikeport.toolchain.energy.assessment import Assessment
from spikeport.toolchain.energy.breakeven import always_on, policies_that_fit
from spikeport.toolchain.energy.estimate_result import DENSE, SPIKING, Estimate
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.atomic import write_atomically

SUFFIXES = (".svg", ".png", ".pdf")


def check_plot(path: Path) -> None:
    """Refuse a picture that cannot be written, before anything is run."""
    if path.suffix not in SUFFIXES:
        raise InputError(
            "--plot",
            "unknown kind of picture",
            got=path.suffix or "no suffix",
            limit=", ".join(SUFFIXES),
            fix="--plot assessment.svg",
        )
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(
            "--plot",
            "cannot be written: "
            + ("it is a folder" if path.is_dir() else "its folder does not exist"),
            got=path,
            fix="--plot a.svg",
        )
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError(
            "--plot", "matplotlib is not installed", fix="pip install '.[plots]' in the clone"
        ) from None


def plot_assessment(found: Assessment, path: Path) -> None:
    """Write the picture; its kind follows from the suffix."""
    check_plot(path)
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "spikeport", "font.size": 8}):
        figure = Figure(figsize=(11, 4.5))
        bars, rates = figure.subplots(1, 2)
        _energies(bars, found)
        _control_rates(rates, found)
        figure.tight_layout()
        kind = path.suffix.removeprefix(".")
        metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {}
        write_atomically(
            path, lambda temporary: figure.savefig(temporary, format=kind, metadata=metadata)
        )


def _energies(axis: Any, found: Assessment) -> None:
    """Draw dynamic or all-in energy with its band.

    A cross stands where static power is paid for the whole control period.
    """
    shown = [
        e for e in (*found.estimates, *found.baselines) if e.headline and e.runs in (SPIKING, DENSE)
    ]
    for row, estimate in enumerate(reversed(shown)):
        value = estimate.dynamic_j
        if estimate.runs == SPIKING:
            colour = "C0"
        else:
            colour = "C1"
        axis.errorbar(
            value,
            row,
            xerr=[[value - estimate.low_j], [estimate.high_j - value]],
            fmt="o",
            color=colour,
            capsize=3,
        )
        if (total := always_on(estimate)) is not None:
            axis.plot(total[0], row, "x", color=colour)
    axis.set_yticks(
        range(len(shown)),
        [
            f"{e.profile}, {'spiking' if e.runs == SPIKING else 'dense int8'}"
            for e in reversed(shown)
        ],
    )
    axis.set_xscale("log")
    axis.set_xlabel("J per decision; o dynamic or all-in, x always on")


def _control_rates(axis: Any, found: Assessment) -> None:
    """Energy per decision of a chip that is always on, against how often it decides."""
    for estimate in found.estimates:
        if (
            estimate.runs != SPIKING
            or not estimate.headline
            or estimate.static_period_j is None
            or not estimate.latency_s
        ):
            continue
        power = estimate.static_period_j / (estimate.control_period_s or 1.0)
        rates = np.geomspace(1.0, 1.0 / estimate.latency_s, 100)
        for policies, style in ((1, "-"), (policies_that_fit(estimate) or 1, "--")):
            axis.plot(
                rates,
                estimate.dynamic_j + power / rates / policies,
                style,
                color="C0",
                label=f"{estimate.profile}, {policies} per chip",
            )
    for other in _dense(found):
        axis.axhline(other.dynamic_j, color="C1", linewidth=0.8)
        axis.annotate(other.profile, (1.0, other.dynamic_j), fontsize=6, va="bottom")
    if found.control_period_s is not None:
        axis.axvline(
            1 / found.control_period_s, color="0.7", linewidth=0.8, label="this policy's rate"
        )
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("decisions per second")
    axis.set_ylabel("J per decision, always on")
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=6)


def _dense(found: Assessment) -> list[Estimate]:
    return [other for other in found.baselines if other.runs == DENSE and other.all_in]
