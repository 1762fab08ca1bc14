"""Census to joules and seconds: mapping, pricing, timing, baselines, the table.

Counting is the simulation's work.
"""

from toolchain.energy.ann_work import AnnWork as AnnWork
from toolchain.energy.assessment import ASSESS_PROFILES as ASSESS_PROFILES
from toolchain.energy.assessment import Assessment as Assessment
from toolchain.energy.assessment import assess as assess
from toolchain.energy.assessment_text import render_assessment as render_assessment
from toolchain.energy.baseline import baseline_estimates as baseline_estimates
from toolchain.energy.estimate import DEFAULT_PROFILES as DEFAULT_PROFILES
from toolchain.energy.estimate import estimate_energy as estimate_energy
from toolchain.energy.mapping import Mapping as Mapping
from toolchain.energy.mapping import map_network as map_network
from toolchain.energy.result import Estimate as Estimate
from toolchain.energy.result import Grade as Grade
from toolchain.energy.table import headline as headline
from toolchain.energy.table import render_table as render_table
