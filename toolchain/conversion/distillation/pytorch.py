"""PyTorch, imported only when somebody fine-tunes."""

from __future__ import annotations

from typing import Any

from spikeport.toolchain.errors import InputError


def pytorch() -> Any:
    """The torch module; InputError where it is missing."""
    try:
        import torch
    except ImportError:
        raise InputError(
            "--finetune",
            "needs PyTorch, which is not installed",
            fix=("pip install torch", "leave --finetune away"),
        ) from None
    return torch
