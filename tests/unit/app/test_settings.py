"""Settings: kept from run to run, and never a reason to fail."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import Settings, settings_path


def test_what_is_set_is_there_in_the_next_run(tmp_path):
    path = tmp_path / "deep" / "settings.json"
    settings = Settings.load(path)
    settings.set_theme("dark")
    settings.set_ui_scale(1.5)
    settings.remember(tmp_path / "a.obj")
    again = Settings.load(path)
    assert (again.theme, again.ui_scale, again.recent) == ("dark", 1.5, (str(tmp_path / "a.obj"),))
    assert list(path.parent.iterdir()) == [path]  # nothing is left beside it


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'{"theme": 7}',
        b'{"theme": "pink"}',
        b'{"recent": [1, 2]}',
        b'{"recent": "a"}',
        b'{"ui_scale": 1e999}',
        b'{"ui_scale": -1}',
        b"\xff\xfe\x00",
        b"[" * 50_000,
        b'{"recent": ["' + b"a" * 5000 + b'"]}',
        b'{"a": "' + b"b" * 200_000 + b'"}',
    ],
)
def test_a_damaged_file_gives_the_defaults_and_is_replaced_by_the_next_change(tmp_path, content):
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    settings = Settings.load(path)
    assert (settings.theme, settings.ui_scale, settings.recent) == ("light", None, ())
    settings.set_theme("dark")
    assert json.loads(path.read_text())["theme"] == "dark"


@given(st.binary(max_size=300))
def test_no_content_fails(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("settings") / "settings.json"
    path.write_bytes(content)
    assert Settings.load(path).theme in ("light", "dark")


def test_keys_of_a_newer_version_do_no_harm(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"theme": "dark", "from_the_future": {"a": 1}}')
    assert Settings.load(path).theme == "dark"


def test_a_place_that_cannot_be_written_keeps_changes_in_memory(tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings = Settings.load(tmp_path / "file" / "settings.json")
    settings.set_theme("dark")
    assert settings.theme == "dark"


def test_recent_files_are_distinct_newest_first_and_few(tmp_path):
    settings = Settings(None)
    for number in (*range(20), 15):
        settings.remember(tmp_path / f"{number}.obj")
    names = [Path(path).stem for path in settings.recent]
    assert names == ["15", "19", "18", "17", "16", "14", "13", "12", "11", "10", "9", "8"]
    settings.forget(tmp_path / "19.obj")
    assert "19" not in [Path(path).stem for path in settings.recent]


def test_recent_paths_are_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = Settings(None)
    settings.remember("a.obj")
    assert settings.recent == (os.path.join(os.getcwd(), "a.obj"),)


def test_each_platform_has_its_own_place():
    home = {"HOME": "/home/p"}
    assert settings_path(home, "linux") == Path("/home/p/.config/simplicits-studio/settings.json")
    assert settings_path({**home, "XDG_CONFIG_HOME": "/x"}, "linux").parent.parent == Path("/x")
    assert settings_path({**home, "XDG_CONFIG_HOME": "rel"}, "linux").parent.parent == Path("/home/p/.config")
    assert "Application Support" in str(settings_path(home, "darwin"))
    assert settings_path({"APPDATA": "/roaming"}, "win32").parent.parent == Path("/roaming")


@pytest.mark.parametrize(("asked", "kept"), [(0.01, 0.5), (99, 4.0), (1.25, 1.25), (None, None)])
def test_the_size_of_text_stays_readable(asked, kept):
    settings = Settings(None)
    settings.set_ui_scale(asked)
    assert settings.ui_scale == kept
