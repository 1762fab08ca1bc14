"""Thresholds from measured curves: how often a neuron sends at each resolution, at what cost.

`sensitivity_thresholds` assumes that events fall as 1 / theta. For a robot that moves fast they do
not: a neuron whose activation changes by many steps per decision sends every time, however fine or
half as fine its steps are. Here the calibration states are replayed through the quantiser, trigger
included, on a grid of resolutions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.conversion.calibration.signal_statistics import PolicyStatistics
from spikeport.toolchain.conversion.schemes.thresholds import floored

Float = NDArray[np.float64]
# Of a channel's range; above 2 a neuron is silent, its mean moves into the next bias.
GRID = np.geomspace(1 / 2000, 2.2, 28)
STATES = 3000


@dataclass(frozen=True, eq=False)
class EventCurves:
    """One signal on a grid of resolutions, all [grid, channels].

    Attributes:
        theta: Resolutions.
        events: Per decision.
        error: Variance of the error.
    """

    theta: Float
    events: Float
    error: Float


def event_curves(values: Float, starts: NDArray[np.bool_], trigger: int) -> EventCurves:
    """Replay a signal through q = floor(h / theta + 1/2), sent once |q - ref| >= trigger or q = 0.

    The grid is of theta * trigger, the change that a neuron keeps to itself. The variance leaves
    the error's mean out: the next layer's bias corrects it.

    Args:
        values: [N, n], of which the first 3,000 rows are replayed.
        starts: [N], marks episode starts.
        trigger: Payload units that a change must reach to be sent.

    Returns:
        The signal's curves.
    """
    values = values[:STATES]
    span = np.maximum(values.max(0), 0) - np.minimum(values.min(0), 0)
    theta = GRID[:, None] * np.where(span > 0, span, 1.0) / trigger
    reference = np.zeros(theta.shape)
    events = np.zeros(theta.shape)
    total = np.zeros(theta.shape)
    squares = np.zeros(theta.shape)
    for value, start in zip(values, starts, strict=False):
        quantised = np.floor(value / theta + 0.5)
        change = np.abs(quantised - reference)
        if start:
            reference = quantised
        else:
            sent = (change >= trigger) | ((quantised == 0) & (change > 0))
            reference = np.where(sent, quantised, reference)
            events += sent
        error = reference * theta - value
        total += error
        squares += error * error
    return EventCurves(
        theta,
        events / len(values),
        np.maximum(squares / len(values) - (total / len(values)) ** 2, 0.0),
    )


def event_thresholds(
    statistics: PolicyStatistics,
    action_error: float,
    shares: tuple[float, ...] = (),
    triggers: tuple[int, ...] = (),
) -> list[Float]:
    """Resolutions with the fewest events times fan-out at a given RMS error of the squashed action.

        min_theta  f_i events_i(theta_i) + mu_s s_i^2 error_i(theta_i)
        sum_i s_i^2 error_i(theta_i) = action_error^2

    solved per channel on the grid, mu by bisection.

    Args:
        statistics: Those of the policy; they keep the curves.
        action_error: In units of half the action's range.
        shares: One per signal: each has its own mu and spends its share of action_error^2. () is
            one mu for all.
        triggers: Of the hidden layers; () is 1 each.

    Returns:
        Thresholds [signal][channel] in real units.
    """
    count = len(statistics.signals)
    of_signals = (1, *(triggers or (1,) * (count - 1)))
    curves = [_curves(statistics, index, of_signals[index]) for index in range(count)]
    sensitivities = [floored(signal.sensitivity) for signal in statistics.signals]
    fans = [signal.fan_out for signal in statistics.signals]
    if not shares:
        return _cheapest(curves, sensitivities, fans, action_error**2)
    parts = [action_error**2 * share / sum(shares) for share in shares]
    return [
        _cheapest([c], [s], [f], part)[0]
        for c, s, f, part in zip(curves, sensitivities, fans, parts, strict=True)
    ]


def _curves(statistics: PolicyStatistics, index: int, trigger: int) -> EventCurves:
    """Measured once per signal and trigger, kept with the statistics."""
    if (index, trigger) not in statistics.curves:
        statistics.curves[index, trigger] = event_curves(
            statistics.values[index], statistics.starts, trigger
        )
    return statistics.curves[index, trigger]


def _cheapest(
    curves: list[EventCurves], sensitivities: list[Float], fans: list[int], budget: float
) -> list[Float]:
    """The finest answer on the Lagrangian's path that stays within the budget."""
    low = 1e-9
    high = 1e15
    for _ in range(100):
        middle = float(np.sqrt(low * high))
        if _choose(curves, sensitivities, fans, middle)[1] > budget:
            low = middle
        else:
            high = middle
    return _choose(curves, sensitivities, fans, high)[0]


def _choose(
    curves: list[EventCurves], sensitivities: list[Float], fans: list[int], price: float
) -> tuple[list[Float], float]:
    """Thresholds where an error of 1 costs `price` synops, and the squared action error of them."""
    chosen = []
    spent = 0.0
    for curve, sensitivity, fan in zip(curves, sensitivities, fans, strict=True):
        row = (curve.events * fan + price * sensitivity * curve.error).argmin(0)
        column = np.arange(len(sensitivity))
        chosen.append(curve.theta[row, column])
        spent += float((sensitivity * curve.error[row, column]).sum())
    return chosen, spent
