"""What tests ask a checker's report."""

from __future__ import annotations

from spikeport.toolchain.checkers.check_report import CheckReport


def failed(report: CheckReport) -> dict[str, str]:
    return {check.name: check.detail for check in report.failures}
