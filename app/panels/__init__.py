"""Panels: each a function `draw(session, ui)` that shows the session and gives it commands."""

from __future__ import annotations

from collections.abc import Callable

from app.panels import (
    closing,
    empty,
    files,
    header,
    keys_sheet,
    loading,
    record,
    scene,
    simulate,
    status,
    timeline,
    toasts,
    toolbar,
    train,
    weights,
)
from app.session import Session
from app.ui import Ui

Draw = Callable[[Session, Ui], None]

COLUMN: dict[str, Draw] = {
    "header": header.draw,
    "scene": scene.draw,
    "weights": weights.draw,
    "train": train.draw,
    "simulate": simulate.draw,
    "record": record.draw,
}
"""Parts of the left column, from top to bottom."""

FLOATING: dict[str, Draw] = {
    "toolbar": toolbar.draw,
    "empty": empty.draw,
    "loading": loading.draw,
    "timeline": timeline.draw,
    "status": status.draw,
    "keys": keys_sheet.draw,
    "files": files.draw,
    "closing": closing.draw,
    "toasts": toasts.draw,
}
"""Windows of their own over the scene."""
