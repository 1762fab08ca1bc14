"""A diagnosis as text: the verdict and what to do first, then the numbers behind it."""

from __future__ import annotations

from spikeport.toolchain.diagnosis.diagnosis_evidence import Evidence
from spikeport.toolchain.diagnosis.diagnosis_result import Diagnosis
from spikeport.toolchain.diagnosis.layer_report import LayerReport

COLUMNS = (
    "error",
    "own",
    "action",
    "slope",
    "offset",
    "scatter",
    "clipped",
    "dead",
    "always on",
    "largest part",
)


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """Verdict, remedy, returns, published measures, one table per set of states."""
    verdict = diagnosis.verdict
    measures = diagnosis.published
    on_ann = diagnosis.on_ann_states
    on_spiking = diagnosis.on_spiking_states
    spiking = diagnosis.returns.mean()
    ann = diagnosis.ann_returns.mean()
    lines = [
        f"{verdict.cause.value.upper()} ({verdict.place}): {verdict.sentence}",
        f"  remedy          {verdict.remedy}",
    ]
    lines += [
        f"  also            {found.cause.value}, {found.place}: {found.sentence}"
        for found in diagnosis.findings[1:]
    ]
    episodes = len(diagnosis.returns)
    if diagnosis.return_ratio is None:
        ratio = "none"
    else:
        ratio = f"{diagnosis.return_ratio:.4f}"
    lines += [
        (
            f"{diagnosis.environment}, {episodes} episodes from seed {diagnosis.seed}, backend"
            f" {diagnosis.backend}"
        ),
        (
            f"  returns         spiking {spiking:.1f}, source {ann:.1f}, without looking"
            f" {diagnosis.trivial_return:.1f}; ratio {ratio}"
        ),
        (
            f"  failed episodes {diagnosis.failed_episodes} against {diagnosis.ann_failed_episodes}"
            f" of {episodes}"
        ),
        (
            f"  action error    {on_ann.action_rmse:.3f} on the ANN's states,"
            f" {on_spiking.action_rmse:.3f} on its own (RMS, half ranges), lag-1 correlation"
            f" {_number(diagnosis.lag_correlation, 2)}"
        ),
        (
            f"  R_SNN|ANN       {_number(measures.snn_given_ann, 1)}; R_ANN|SNN"
            f" {_number(measures.ann_given_snn, 1)}"
        ),
        (
            f"  ANN correction  {_number(measures.ann_correction, 3)}; SNN consistency"
            f" {_number(measures.snn_consistency, 3)}; SNN drift {_number(measures.snn_drift, 3)}"
        ),
    ]
    for title, evidence in (
        ("the ANN's own states", on_ann),
        ("the spiking policy's states", on_spiking),
    ):
        lines += ["", *_table(title, evidence)]
    return "\n".join(lines)


def _table(title: str, evidence: Evidence) -> list[str]:
    host = evidence.input
    rows = [("", *COLUMNS), *(_row(layer) for layer in evidence.layers)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    parts = ", ".join(f"{name} {share:.3f}" for name, share in host.shares.items())
    return [
        f"on {evidence.states} of {title}",
        f"  input: action error by {parts}; {host.saturated:.2%} at the encoder's limit",
        *(
            "  "
            + "  ".join(
                cell.ljust(width) if not index else cell.rjust(width)
                for index, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ),
    ]


def _row(layer: LayerReport) -> tuple[str, ...]:
    part = max(layer.shares, key=lambda name: layer.shares[name])
    return (
        f"layer {layer.index}",
        f"{layer.error:.3f}",
        f"{layer.own_error:.3f}",
        f"{layer.own_action_error:.3f}",
        f"{layer.slope:.3f}",
        f"{layer.offset:.3f}",
        f"{layer.scatter:.3f}",
        f"{layer.clipped:.2%}",
        str(layer.dead),
        str(layer.always_on),
        f"{part} {layer.shares[part]:.3f}",
    )


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return "none"
    return f"{value:.{digits}f}"
