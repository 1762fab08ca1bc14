"""Distillation of a converted `sdn` network into its own integers (`convert --finetune`).

Needs PyTorch.
"""

from spikeport.toolchain.finetuning.finetune import finetune as finetune
from spikeport.toolchain.finetuning.states import States as States
