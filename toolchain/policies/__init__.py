"""Readers: one trained checkpoint, of any supported format, becomes one Policy."""

from spikeport.toolchain.environments.environment_record import EnvironmentFacts as EnvironmentFacts
from spikeport.toolchain.policies.ann_policy import DenseLayer as DenseLayer
from spikeport.toolchain.policies.ann_policy import Policy as Policy
from spikeport.toolchain.policies.ann_policy import Provenance as Provenance
from spikeport.toolchain.policies.describe import describe as describe
from spikeport.toolchain.readers.inspection import inspect_checkpoint as inspect_checkpoint
from spikeport.toolchain.readers.load import load_policy as load_policy
from spikeport.toolchain.readers.reading_options import ReadOptions as ReadOptions
