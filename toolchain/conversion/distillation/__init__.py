"""Distillation of a converted `sdn` network into its own integers (`convert --finetune`).

Needs PyTorch.
"""

from spikeport.toolchain.conversion.distillation.distillation_states import States as States
from spikeport.toolchain.conversion.distillation.finetune import finetune as finetune
