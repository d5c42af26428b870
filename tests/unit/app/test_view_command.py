"""The window's command where there is no display."""

import subprocess
import sys

from app.cli import main


def test_without_a_display_it_says_so_and_names_record(monkeypatch, capsys):
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for arguments in ([], ["view", "bunny"]):
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert "no display" in said
        assert "record" in said
        assert said.count("\n") == 1


def test_the_window_is_opened_before_torch_is_read():
    code = "import app.cli, app.window, app.commands.view, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
