"""`simplicits-studio doctor`: what works here, what is missing, and the line that mends it."""

from __future__ import annotations


def run() -> int:
    """Versions, devices, what is missing and how to get it. Exit status 1 when something essential is."""
    from app.doctor import examine, report

    findings = examine()
    print(report(findings))
    return int(any(finding.essential and not finding.works for finding in findings))
