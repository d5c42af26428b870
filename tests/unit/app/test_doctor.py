"""The doctor: told of a machine by its facts, it says the right thing about it."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from app import doctor

ROOT = Path(__file__).resolve().parents[3]


def test_this_machine_which_runs_the_tests_is_ready():
    ran = subprocess.run(
        [sys.executable, "-m", "app.cli", "doctor"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Ready: all that is essential works." in ran.stdout
    for name in doctor.REQUIRED:
        assert name in ran.stdout


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("2.13.0+cpu", (2, 13, 0)), ("1.8rc1", (1, 8)), ("26.8", (26, 8)), ("unknown", ())],
)
def test_a_version_is_its_leading_numbers(text, numbers):
    assert doctor.release(text) == numbers


def test_a_package_that_is_not_installed_comes_with_the_line_that_installs_it():
    finding = doctor.package_finding("no-such-package-anywhere", (1, 2))
    assert not finding.works
    assert finding.essential
    assert finding.mend.endswith('-m pip install "no-such-package-anywhere>=1.2"')


def test_a_package_too_old_is_to_be_upgraded():
    finding = doctor.package_finding("numpy", (9999,))
    assert not finding.works
    assert "--upgrade" in finding.mend


def test_an_old_python_is_refused_and_this_one_is_not():
    assert not doctor.python_finding((3, 9, 18)).works
    assert doctor.python_finding().works


def test_without_a_display_record_is_named_and_nothing_is_broken():
    finding = doctor.Finding("display", "none", False, essential=False, mend="simplicits-studio record ...")
    text = doctor.report([doctor.python_finding(), finding])
    assert "without display" in text
    assert "-> simplicits-studio record" in text
    assert text.endswith("Ready: all that is essential works.")


def test_what_is_essential_and_missing_is_said_last():
    text = doctor.report([doctor.Finding("torch", "missing", False, mend="pip install torch")])
    assert text.endswith("Not ready: torch.")


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    assert doctor.folder_finding("settings", tmp_path / "new" / "deeper").works
    finding = doctor.folder_finding("settings", tmp_path / "file" / "inside")
    assert not finding.works


def test_the_versions_asked_for_are_those_of_the_project_file():
    declared = [line for line in importlib.metadata.requires("simplicits-studio") if ";" not in line]
    oldest = {line.split(">=")[0].lower(): doctor.release(line.split(">=")[1]) for line in declared}
    for name, version in doctor.REQUIRED.items():
        assert oldest[name.lower()] == version[: len(oldest[name.lower()])]
