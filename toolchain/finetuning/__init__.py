"""Distillation of a converted `sdn` network into its own integers (`convert --finetune`).

Needs PyTorch.
"""

from toolchain.finetuning.finetune import finetune as finetune
from toolchain.finetuning.states import States as States
