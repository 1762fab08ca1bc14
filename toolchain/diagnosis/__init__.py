"""Why a converted policy does or does not do what its source does.

Errors layer by layer, one named cause, its remedy.
"""

from spikeport.toolchain.diagnosis.causes import REMEDIES as REMEDIES
from spikeport.toolchain.diagnosis.causes import Cause as Cause
from spikeport.toolchain.diagnosis.causes import Finding as Finding
from spikeport.toolchain.diagnosis.diagnosis_result import Diagnosis as Diagnosis
from spikeport.toolchain.diagnosis.diagnosis_run import diagnose as diagnose
