"""Plain-text summaries, one function per result; numbers only, every claim with its count."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.network.integer_network import READOUT
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.neurons import trained_as_spiking
from spikeport.toolchain.neurons.proof import prove
from spikeport.toolchain.simulation.closed_loop import Simulation
from spikeport.toolchain.simulation.verification import Verification


def describe_artifact(artifact: Artifact) -> dict[str, Any]:
    """An artifact as JSON-able facts."""
    network = artifact.network
    origin = artifact.provenance
    environment = artifact.environment
    layers = [
        {
            "neuron": layer.neuron,
            "inputs": layer.inputs,
            "outputs": layer.outputs,
            "activation": layer.activation,
            "synapses": int(layer.fan_out.sum()),
            "trigger": layer.trigger,
            "largest_payload": int(max(layer.payload_high.max(), -layer.payload_low.min())),
            "proven_bits": proof.bits,
            "dynamics": (
                dataclasses.asdict(layer.dynamics) | {"threshold": int(layer.threshold[0])}
                if layer.dynamics
                else None
            ),
            "table_error_bound": (
                None if layer.table is None else float(layer.table.error_bound.max())
            ),
        }
        for layer, proof in zip(network.layers, prove(network), strict=True)
    ]
    calibration = {key: value for key, value in artifact.calibration.items() if key != "seeds"} | {
        "seeds": len(artifact.calibration.get("seeds", ()))
    }
    return {
        "kind": "artifact",
        "file": origin.file,
        "sha256": origin.sha256,
        "format": origin.format,
        "family": origin.family,
        "assumptions": list(origin.assumptions),
        "timesteps": network.timesteps,
        "chip_steps": network.chip_steps,
        "alpha": network.alpha / 64,
        "resync_every": network.resync_every,
        "largest_input_payload": int(network.encoder.limit.max()),
        "layers": layers,
        "macs": artifact.macs,
        "source_inside": artifact.source is not None,
        "observation": artifact.observation.size,
        "action": artifact.action.size,
        "squash": artifact.action.squash,
        "environment": (
            None
            if environment is None
            else {
                "id": environment.id,
                "control_period_s": environment.control_period_s,
                "versions": environment.versions,
            }
        ),
        "calibration": calibration,
    }


def artifact_text(artifact: Artifact) -> str:
    """Show in a few lines what was built and what is proven."""
    facts = describe_artifact(artifact)
    time = f"T={facts['timesteps']}, {facts['chip_steps']} chip steps a decision"
    if artifact.network.alpha:
        time += f", alpha {artifact.network.alpha}/64"
    lines = [f"{facts['family']} policy {facts['file']} -> {facts['layers'][0]['neuron']} ({time})"]
    lines += [_layer_line(index, layer) for index, layer in enumerate(facts["layers"])]
    calibration = facts["calibration"]
    calibrated = (
        f"  {calibration.get('weight_bits')}-bit weights; calibrated on {calibration.get('steps')}"
        f" states ({calibration.get('source')})"
    )
    error = calibration.get("action_error")
    if error:
        calibrated += f"; action error wanted {error:g}"
    if "measured_action_error" in calibration:
        unit = "units of the outputs" if artifact.action.discrete else "half ranges"
        calibrated += f", measured {calibration['measured_action_error']:.3f} RMS in {unit}"
    lines.append(calibrated)
    silent = calibration.get("silent_neurons", [])
    if any(silent):
        note = _silent_note(artifact, calibration)
        lines.append(f"  neurons that never fired in calibration, per layer: {silent}{note}")
    lines += [f"  {assumption}" for assumption in facts["assumptions"]]
    return "\n".join(lines)


def _layer_line(index: int, layer: dict[str, Any]) -> str:
    payloads = ""
    if layer["dynamics"]:
        place = "current" if layer["dynamics"]["bias_in_current"] else "membrane"
        payloads = f", bias in the {place}"
    elif layer["neuron"] != READOUT:
        payloads = f", payloads to {layer['largest_payload']}"
    bound = ""
    if layer["table_error_bound"] is not None:
        bound = f", activation within {layer['table_error_bound']:.2f} payload units"
    return (
        f"  layer {index}: {layer['inputs']} -> {layer['outputs']} {layer['neuron']}"
        f" {layer['activation']}, {layer['synapses']} synapses{payloads}, proven within"
        f" {layer['proven_bits']} of {STATE_LIMIT.bit_length() + 1} bits{bound}"
    )


def _silent_note(artifact: Artifact, calibration: dict[str, Any]) -> str:
    """Say what became of neurons that never fired in calibration."""
    if calibration.get("pruned"):
        return " (pruned)"
    if trained_as_spiking(artifact.network):
        return ""
    # what a silent neuron of differential coding gets
    share = (calibration.get("threshold_shares") or [1.0])[0]
    of = "" if share == 1 else f"{share:g} of "
    return f" (kept with {of}their layer's median threshold)"


def verification_text(result: Verification) -> str:
    """One line per backend and the verdict."""
    width = max(len(name) for name in result.backends)
    lines = []
    for name, entry in result.backends.items():
        if entry.missing:
            verdict = f"missing: {entry.missing}"
        else:
            verdict = f"{entry.mismatches} mismatches in {entry.compared} compared integers"
        lines.append(f"  {name:<{width}}  {verdict}")
    if result.first_mismatch:
        lines.append(f"  first mismatch: {result.first_mismatch}")
    return "\n".join(
        [
            (
                f"{'EXACT' if result.exact else 'NOT EXACT'} over {result.decisions} decisions,"
                " every neuron, every timestep"
            ),
            *lines,
        ]
    )


def simulation_text(simulation: Simulation) -> str:
    """Show the return next to the source policy's, failures, work per decision and speed."""
    facts = simulation.to_json()
    lines = [
        f"{facts['env']}, {facts['episodes']} episodes from seed {facts['seed']}, backend"
        f" {facts['backend']}",
        f"  spiking return  {_value(facts['mean_return'])}{_interval(facts['ci95'], 1)}, minimum"
        f" {_value(facts['min_return'])}",
    ]
    if simulation.ann is not None:
        lines += _comparison_lines(simulation, facts)
    if simulation.delay is not None:
        coarse = ""
        if facts["latency_applied_s"] > 2 * facts["latency_s"] > 0:
            coarse = " (whole substeps: the loss is overstated)"
        late = facts["latency_s"] * 1e3
        applied = facts["latency_applied_s"] * 1e3
        lines.append(
            f"  latency         {late:.3g} ms, applied as {applied:.3g} ms of a control period of"
            f" {simulation.delay.period_s * 1e3:g} ms{coarse}"
        )
    share = facts["synops_per_decision"] / facts["macs_per_decision"]
    work = (
        f"{facts['synops_per_decision']:.0f} synops against {facts['macs_per_decision']} MACs a"
        f" decision ({share:.3f} per MAC)"
    )
    lines.append(f"  work            {work}; host {facts['host_macs_per_decision']} MACs")
    speed = "-"
    if facts["decisions_per_second"] is not None:
        speed = f"{facts['decisions_per_second']:.0f}"
    seconds = f"environment {facts['env_seconds']:.2f} s, policy {facts['policy_seconds']:.2f} s"
    lines.append(
        f"  speed           {speed} decisions/s; {seconds}; saturations {facts['saturations']}"
    )
    if np.isnan(simulation.returns).any():
        lines.append("  some returns are not numbers: the environment diverged")
    return "\n".join(lines)


def _comparison_lines(simulation: Simulation, facts: dict[str, Any]) -> list[str]:
    """Show the source policy's return and how the two compare."""
    assert simulation.ann is not None
    if facts["return_ratio"] is not None:
        ratio = f"{facts['return_ratio']:.4f}{_interval(facts['ratio_ci95'], 4)}"
    elif np.isfinite([*simulation.returns, *simulation.ann.returns]).all():
        ratio = "none (source return is about 0)"
    else:
        ratio = "none (a return is not a number)"
    lines = [
        f"  source return   {_value(facts['ann_mean_return'])}, minimum"
        f" {_value(facts['ann_min_return'])}",
        f"  return ratio    {ratio}; failed episodes {facts['failed_episodes']} against"
        f" {facts['ann_failed_episodes']}",
    ]
    if facts["chatter_ratio"] is not None:
        lines.append(
            f"  action chatter  {facts['chatter']:.4f} per decision,"
            f" {facts['chatter_ratio']:.3f} of the source policy's"
        )
    return lines


def _interval(values: list[float] | None, digits: int) -> str:
    if values is None:
        return ""
    return f" [{values[0]:.{digits}f}, {values[1]:.{digits}f}]"


def _value(number: float | None) -> str:
    if number is None:
        return "not a number"
    return f"{number:.1f}"
