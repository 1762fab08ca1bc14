"""What a refused checkpoint looks like."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.load import load_policy

FACTS = EnvironmentFacts("E-v1", None, 100, -np.ones(2), np.ones(2))
SECONDS = 2.0  # a refusal takes less


def refusal(path: Path, **options: Any) -> InputError:
    """The error that loading gives, in time, with its place and a way out."""
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        load_policy(path, environment=FACTS, **options)
    assert time.perf_counter() - start < SECONDS
    assert caught.value.where.startswith(path.name) or path.name not in str(caught.value)
    assert caught.value.fix
    assert str(path.parent) not in str(caught.value)
    return caught.value
