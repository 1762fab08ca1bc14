"""Census to joules and seconds: mapping, pricing, timing, baselines, the table.

Counting is the simulation's work.
"""

from spikeport.toolchain.energy.ann_work import AnnWork as AnnWork
from spikeport.toolchain.energy.assessment import ASSESS_PROFILES as ASSESS_PROFILES
from spikeport.toolchain.energy.assessment import Assessment as Assessment
from spikeport.toolchain.energy.assessment import assess as assess
from spikeport.toolchain.energy.baseline import baseline_estimates as baseline_estimates
from spikeport.toolchain.energy.estimate import DEFAULT_PROFILES as DEFAULT_PROFILES
from spikeport.toolchain.energy.estimate import estimate_energy as estimate_energy
from spikeport.toolchain.energy.estimate_result import Estimate as Estimate
from spikeport.toolchain.energy.estimate_result import Grade as Grade
from spikeport.toolchain.energy.mapping import Mapping as Mapping
from spikeport.toolchain.energy.mapping import map_network as map_network
