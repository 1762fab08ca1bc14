"""Readers: one trained checkpoint, of any supported format, becomes one Policy."""

from spikeport.toolchain.policies.describe import describe as describe
from spikeport.toolchain.policies.environment_facts import EnvironmentFacts as EnvironmentFacts
from spikeport.toolchain.policies.inspection import inspect_checkpoint as inspect_checkpoint
from spikeport.toolchain.policies.load import load_policy as load_policy
from spikeport.toolchain.policies.options import ReadOptions as ReadOptions
from spikeport.toolchain.policies.policy import DenseLayer as DenseLayer
from spikeport.toolchain.policies.policy import Policy as Policy
from spikeport.toolchain.policies.policy import Provenance as Provenance
