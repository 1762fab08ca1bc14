"""Why a converted policy does or does not do what its source does.

Errors layer by layer, one named cause, its remedy.
"""

from toolchain.diagnosis.causes import REMEDIES as REMEDIES
from toolchain.diagnosis.causes import Cause as Cause
from toolchain.diagnosis.causes import Finding as Finding
from toolchain.diagnosis.result import Diagnosis as Diagnosis
from toolchain.diagnosis.run import diagnose as diagnose
