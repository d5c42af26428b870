"""The project's own errors: each message says what was wrong, where, and what would be right."""


class StudioError(Exception):
    """Base of every error that is meant for the person at the window or the command line."""


class ShapeError(StudioError):
    """A mesh or point file cannot become a solid shape."""


class MaterialError(StudioError):
    """A material value is outside its physical range."""


class BasisError(StudioError):
    """Handle weights are missing, damaged, or do not fit the shape."""


class WorldError(StudioError):
    """A request to the simulation makes no sense (unknown body, empty region, wrong state)."""


class TrajectoryError(StudioError):
    """A recorded motion is missing, damaged, or does not fit."""


class TrainingError(StudioError):
    """Training cannot start or cannot go on."""


class SceneError(StudioError):
    """A scene file is wrong; the message names the file and the YAML path."""


class DeviceError(StudioError):
    """The requested compute device is not there."""


class Cancelled(StudioError):
    """The person asked to stop; nothing was lost."""
