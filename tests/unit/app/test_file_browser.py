"""The file browser's lists and names."""

from pathlib import Path

import pytest

from app.file_browser import FileBrowser, list_folder, readable_size


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("b.OBJ", "a.stl", "scene.yaml", "w.safetensors", "notes.txt", ".hidden.obj"):
        (tmp_path / name).write_bytes(b"x" * 1500)
    (tmp_path / "zeta").mkdir()
    (tmp_path / "Alpha").mkdir()
    return tmp_path


def test_folders_come_first_and_only_what_can_be_opened(folder):
    browser = FileBrowser(folder=folder)
    browser.ask("open")
    names = [entry.name for entry in browser.entries]
    assert names == ["Alpha", "zeta", "a.stl", "b.OBJ", "scene.yaml", "w.safetensors"]
    browser.set_filter("meshes")
    assert [entry.name for entry in browser.entries if not entry.is_folder] == ["a.stl", "b.OBJ"]


def test_saving_asks_for_a_name_with_the_right_ending(folder):
    browser = FileBrowser()
    browser.ask("save scene", "mine", folder)
    assert browser.saving
    assert browser.result == folder / "mine.yaml"
    browser.name = "other.yaml"
    assert browser.result == folder / "other.yaml"
    for name in ("", "  ", "a/b", "a\0b"):
        browser.name = name
        assert browser.result is None


def test_a_folder_that_cannot_be_read_is_said(tmp_path):
    browser = FileBrowser()
    browser.ask("open")
    browser.go_to(tmp_path / "gone")
    assert browser.entries == []
    assert "cannot be shown" in browser.problem
    with pytest.raises(OSError, match="gone"):
        list_folder(tmp_path / "gone", (".obj",))


def test_sizes_are_readable():
    assert [readable_size(n) for n in (0, 999, 1500, 25_000_000, 3_200_000_000)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "25 MB",
        "3.2 GB",
    ]
