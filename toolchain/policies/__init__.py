"""Readers: one trained checkpoint, of any supported format, becomes one Policy."""

from toolchain.policies.describe import describe as describe
from toolchain.policies.environment_facts import EnvironmentFacts as EnvironmentFacts
from toolchain.policies.inspection import inspect_checkpoint as inspect_checkpoint
from toolchain.policies.load import load_policy as load_policy
from toolchain.policies.options import ReadOptions as ReadOptions
from toolchain.policies.policy import DenseLayer as DenseLayer
from toolchain.policies.policy import Policy as Policy
from toolchain.policies.policy import Provenance as Provenance
