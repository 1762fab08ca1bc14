"""`tune`.

Search for the cheapest conversion that still holds its policy's return, judged on seeds of their
own.
"""

from spikeport.toolchain.tuning.automatic import AutomaticAttempt as AutomaticAttempt
from spikeport.toolchain.tuning.automatic import convert_automatically as convert_automatically
from spikeport.toolchain.tuning.automatic import refuse_own_choices as refuse_own_choices
from spikeport.toolchain.tuning.options import TuningOptions as TuningOptions
from spikeport.toolchain.tuning.result import Tuned as Tuned
from spikeport.toolchain.tuning.tune import tune as tune
