"""`tune`.

Search for the cheapest conversion that still holds its policy's return, judged on seeds of their
own.
"""

from spikeport.toolchain.conversion.neuron_choice import AutomaticAttempt as AutomaticAttempt
from spikeport.toolchain.conversion.neuron_choice import (
    convert_automatically as convert_automatically,
)
from spikeport.toolchain.conversion.neuron_choice import refuse_own_choices as refuse_own_choices
from spikeport.toolchain.tuning.tuner import tune as tune
from spikeport.toolchain.tuning.tuning_options import TuningOptions as TuningOptions
from spikeport.toolchain.tuning.tuning_result import Tuned as Tuned
