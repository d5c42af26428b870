"""A window drawn by EGL for the tests of a process, with a person's mouse and keys put in as events."""

import polyscope as ps
import pytest
from driver import Driver, write_scene

from app.window import open_window

SIZE = (1000, 640)


@pytest.fixture(scope="session", autouse=True)
def window():
    """One for the whole process: Polyscope can be started once."""
    open_window("openGL3_egl", SIZE)
    yield
    ps.shutdown()


@pytest.fixture
def drive():
    driver = Driver()
    yield driver
    driver.close()


@pytest.fixture
def box(drive, tmp_path):
    """A soft box lying on the floor, playing; gives what drives it."""
    drive.open(write_scene(tmp_path))
    drive.frames(10)
    return drive
