"""What every test shares: one thread, a MuJoCo log outside the checkout, the public policies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# Read by torch and the BLAS libraries when they are first imported, here and in child processes.
os.environ["OMP_NUM_THREADS"] = "1"

# A shell's background job ignores SIGINT, and so would every process that these tests start and
# then interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _mujoco_log_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    """MuJoCo appends its warnings to MUJOCO_LOG.TXT in the working directory unless told not to."""
    import mujoco

    config = mujoco.MjLogConfig.get()
    config.logfile = str(tmp_path_factory.mktemp("mujoco") / "MUJOCO_LOG.TXT")
    config.set()


@pytest.fixture(scope="session")
def policies() -> Path:
    """The folder of public policies that SPIKEPORT_POLICIES names.

    The test skips where there is none.
    """
    value = os.environ.get("SPIKEPORT_POLICIES", "")
    if not value:
        pytest.skip("SPIKEPORT_POLICIES is not set: no public policies to test with")
    if not Path(value).is_dir():
        pytest.skip(
            f"SPIKEPORT_POLICIES is not a folder (got {value}): no public policies to test with"
        )
    return Path(value)
