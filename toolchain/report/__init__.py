"""What a person reads: summaries of conversions, verifications, simulations and diagnoses."""

from spikeport.toolchain.report.diagnosis_text import diagnosis_text as diagnosis_text
from spikeport.toolchain.report.summary_text import artifact_text as artifact_text
from spikeport.toolchain.report.summary_text import describe_artifact as describe_artifact
from spikeport.toolchain.report.summary_text import simulation_text as simulation_text
from spikeport.toolchain.report.summary_text import verification_text as verification_text
from spikeport.toolchain.report.tuning_text import candidate_line as candidate_line
from spikeport.toolchain.report.tuning_text import tuning_text as tuning_text
