"""Public checkers, in the manner of Gymnasium's.

Does a policy, an artifact or somebody else's backend keep the rules?
"""

from spikeport.toolchain.checkers.artifact_check import check_artifact as check_artifact
from spikeport.toolchain.checkers.backend_check import check_backend as check_backend
from spikeport.toolchain.checkers.check_report import CheckReport as CheckReport
from spikeport.toolchain.checkers.golden_vectors import write_vectors as write_vectors
from spikeport.toolchain.checkers.policy_check import check_policy as check_policy
