"""What a person reads.

Plain-text summaries of conversions, verifications, simulations and diagnoses.
"""

from spikeport.toolchain.report.diagnosis import diagnosis_text as diagnosis_text
from spikeport.toolchain.report.text import artifact_text as artifact_text
from spikeport.toolchain.report.text import describe_artifact as describe_artifact
from spikeport.toolchain.report.text import simulation_text as simulation_text
from spikeport.toolchain.report.text import verification_text as verification_text
from spikeport.toolchain.report.tuning import candidate_line as candidate_line
from spikeport.toolchain.report.tuning import tuning_text as tuning_text
