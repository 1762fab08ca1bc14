"""How wrong a discrete action may be, measured in the outputs that it is the largest of.

Whether two choices swap depends on the difference of their outputs alone, so what all outputs share
is left out:

    c_k = y_k - mean_j y_j,     one unit = RMS of c over channels and calibration states

One unit takes the place of half the action's range: an action error of 0.1 is sqrt(E sum_k
error(c_k)^2) = 0.1 units.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def centred(outputs: Float) -> Float:
    """c [n, act] of network outputs y [n, act]."""
    return outputs - outputs.mean(-1, keepdims=True)


def unit(outputs: Float) -> float:
    """The RMS of c over states [n] and channels; 1 where there is no choice."""
    size = float(np.sqrt((centred(outputs) ** 2).mean()))
    if size > 0:
        return size
    return 1.0


def logit_gradient(outputs: Float) -> Float:
    """d c_k / d y_j in units, [n, act, act]."""
    count = outputs.shape[1]
    return np.broadcast_to(
        (np.eye(count) - 1.0 / count) / unit(outputs), (len(outputs), count, count)
    )
