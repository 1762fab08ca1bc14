"""`tune`: search for the cheapest conversion that still holds its policy's return.

What it finds is judged on seeds of their own.
"""

from spikeport.toolchain.tuning.tuner import tune as tune
from spikeport.toolchain.tuning.tuning_options import TuningOptions as TuningOptions
from spikeport.toolchain.tuning.tuning_result import Tuned as Tuned
