"""Causes that are faults of the artifact: something does not say what the source policy says.

They show open loop, on the ANN's own states, layer by layer, and are named whatever the return is.
The limits stand between what untouched conversions show and what a planted fault shows; both are in
docs/diagnosis.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from spikeport.toolchain.diagnosis.causes import Cause, Finding
from spikeport.toolchain.diagnosis.diagnosis_evidence import Evidence, InputReport
from spikeport.toolchain.diagnosis.layer_report import LayerReport

VISIBLE = 0.02  # action RMSE in half ranges below which a clear fault is not worth a word
PART = 0.05  # of the whole action error
LARGE = 0.1  # action RMSE of a part that untouched conversions keep far below
# scatter of pre-activations: 8 bits stay below 0.01 where rows are not fitted anew, 3 bits are
# above 0.1
COARSE = 0.04
# of the scatter, that the weights' steps must be able to bring: 8 bits at most 0.35, 3 bits at
# least 1.1
GRAINY = 0.5
FEW_LEVELS = 4  # weight sizes in a row of 3 bits
FEW_SCATTER = 0.004  # below it even a row of few sizes says what the source says
CLIPPED = 0.15  # action RMSE of the ANN's own activations clipped
CONTRACT = 0.02  # gain or offset of an observation contract that is another one


def find_defects(evidence: Evidence, weight_bits: int) -> list[Finding]:
    """All faults seen in the ANN's own states, heaviest first.

    `weight_bits` is what the artifact says it has.
    """
    findings = [*_input_defects(evidence.input)]
    for layer in evidence.layers:
        findings += _layer_defects(layer, weight_bits, evidence.action_rmse)
    return sorted(findings, key=lambda finding: -finding.weight)


def _coarse_rows(layer: LayerReport, weight_bits: int) -> bool:
    """Whether a layer's weights are few steps wide.

    They are by what they do, or against the width that the artifact says it has. Rows fitted
    anew scatter about the float layer's, however fine they are: the steps must be wide enough to
    be the reason. Thresholds and biases are whole numbers of the same steps, so they go wrong with
    them.
    """
    few = (
        layer.levels <= FEW_LEVELS
        and layer.inputs > 2 * FEW_LEVELS
        and weight_bits >= 5
        and layer.scatter > FEW_SCATTER
    )
    return few or (
        layer.scatter > COARSE
        and layer.grain > GRAINY * layer.scatter
        and layer.shares["weights"] > VISIBLE
    )


def _input_defects(host: InputReport) -> Iterator[Finding]:
    """Faults between the environment's observation and layer 0."""
    shares = host.shares
    cause = Cause.OBSERVATION_SCALE
    if shares["scale"] > VISIBLE:
        sentence = (
            f"layer 0 takes a unit of the encoded observation for {host.worth_gain:.2f} of what"
            " the encoder's scale says"
        )
        numbers = {"worth_gain": host.worth_gain, "action_rmse": shares["scale"]}
        yield Finding(cause, -1, shares["scale"], sentence, numbers)
    other = abs(host.contract_gain - 1) > CONTRACT or abs(host.contract_offset) > CONTRACT
    if other and shares["contract"] > VISIBLE:
        sentence = (
            "the artifact normalises observations otherwise than its source policy: gain"
            f" {host.contract_gain:.2f}, offset {host.contract_offset:.2f} deviations in the"
            " worst channels"
        )
        numbers = {
            "contract_gain": host.contract_gain,
            "contract_offset": host.contract_offset,
            "action_rmse": shares["contract"],
        }
        yield Finding(cause, -1, shares["contract"], sentence, numbers)
    if shares["clip"] > LARGE:
        sentence = (
            f"{host.saturated:.1%} of the encoded observations are at the end of their range:"
            " they are larger than in calibration"
        )
        numbers = {"saturated": host.saturated, "action_rmse": shares["clip"]}
        yield Finding(cause, -1, shares["clip"], sentence, numbers)


def _layer_defects(layer: LayerReport, weight_bits: int, whole: float) -> Iterator[Finding]:
    """Faults of one layer.

    `whole` is the action error of the whole network: rows fitted anew move small biases, which
    must not be blamed for it. Coarse rows take thresholds and biases with them, so nothing else is
    named beside them.
    """
    if _coarse_rows(layer, weight_bits):
        yield _coarse(layer)
        return
    shares = layer.shares
    if shares.get("threshold", 0.0) > VISIBLE and layer.off_gain > 0:
        sentence = (
            f"in layer {layer.index} a payload is taken for {layer.gain:.2f} of what its"
            f" threshold makes it mean, in {layer.off_gain:.1%} of the neurons"
        )
        numbers = {
            "gain": layer.gain,
            "neurons": layer.off_gain,
            "action_rmse": shares["threshold"],
        }
        yield Finding(Cause.THRESHOLD, layer.index, shares["threshold"], sentence, numbers)
    if layer.clipped_range > CLIPPED and layer.clipped_range > shares["quantum"] / 2:
        sentence = (
            f"layer {layer.index} cannot say how large the ANN's activations are: its largest"
            f" payloads clip {layer.clipped:.2%} of the values"
        )
        numbers = {"clipped": layer.clipped, "action_rmse": layer.clipped_range}
        yield Finding(Cause.THRESHOLD, layer.index, layer.clipped_range, sentence, numbers)
    if _wrong_bias(layer, whole):
        sentence = (
            f"the pre-activations of layer {layer.index} are off by a constant:"
            f" {layer.bias_kept:.0%} of the bias that it needs is there"
        )
        numbers = {
            "bias_kept": layer.bias_kept,
            "offset": layer.offset,
            "action_rmse": shares["bias"],
        }
        yield Finding(Cause.BIAS, layer.index, shares["bias"], sentence, numbers)


def _coarse(layer: LayerReport) -> Finding:
    """The finding that a layer's weights are few steps wide."""
    sentence = (
        f"the weights of layer {layer.index} are too coarse: {layer.levels} sizes in a row,"
        f" pre-activations scatter by {layer.scatter:.1%}"
    )
    share = layer.shares["weights"]
    numbers = {"levels": float(layer.levels), "scatter": layer.scatter, "action_rmse": share}
    weight = max(share, layer.own_action_error)
    return Finding(Cause.WEIGHT_BITS, layer.index, weight, sentence, numbers)


def _wrong_bias(layer: LayerReport, whole: float) -> bool:
    """Whether the bias does harm, is missing, or explains a visible part of the whole error."""
    share = layer.shares["bias"]
    return (
        (share > LARGE and layer.harm > VISIBLE)
        or layer.bias_dropped
        or (layer.bias_kept < 0.5 and share > max(VISIBLE, PART * whole))
    )
