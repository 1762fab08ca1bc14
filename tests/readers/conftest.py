"""What several files of readers' tests share."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.policy_files import model


@pytest.fixture(scope="module")
def sb3_zip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small PPO model as Stable-Baselines3 saves it."""
    pytest.importorskip("stable_baselines3")
    torch = pytest.importorskip("torch")
    path = tmp_path_factory.mktemp("sb3") / "model.zip"
    model(
        "PPO",
        low=-np.ones(2, np.float32),
        high=np.ones(2, np.float32),
        policy_kwargs={"net_arch": [4], "activation_fn": torch.nn.ReLU},
    ).save(path)
    return path.read_bytes()
