"""`tune`.

Search for the cheapest conversion that still holds its policy's return, judged on seeds of their
own.
"""

from toolchain.tuning.automatic import AutomaticAttempt as AutomaticAttempt
from toolchain.tuning.automatic import convert_automatically as convert_automatically
from toolchain.tuning.automatic import refuse_own_choices as refuse_own_choices
from toolchain.tuning.options import TuningOptions as TuningOptions
from toolchain.tuning.result import Tuned as Tuned
from toolchain.tuning.tune import tune as tune
