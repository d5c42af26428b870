"""View: what the person chose to see and how the mouse works; no part of the session, nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

WeightMode = Literal["off", "one", "all", "dominant", "grid"]
PinShape = Literal["ball", "box", "brush"]


@dataclass
class View:
    """How the session is looked at.

    Attributes:
        weights: how handle weights are shown. localized: as bumps that can be dragged, or as the orthonormal
            modes that training makes. signed: colours tell the sign, or only the size.
        ghost: whether the rest shape is shown through. handle_points: whether handles have their points.
        pin_shape: what a left drag selects with the pin tool. pin_radius: of ball and brush, as a share of the body.
        train_preset, train_handles: chosen for the next training; 0 handles means as many as the body has.
        panels: whether the column is shown. help: whether the sheet of keys is. advanced: Polyscope's own panels.
        opening: a file that waits for an answer, and how it is to be read.
        asked: wishes of panels that the viewer fulfils before the next frame ("frame", "quit", ...).
    """

    weights: WeightMode = "off"
    localized: bool = True
    signed: bool = True
    ghost: bool = False
    handle_points: bool = False
    pin_shape: PinShape = "ball"
    pin_radius: float = 0.08
    train_preset: str = "good"
    train_handles: int = 0
    panels: bool = True
    help: bool = False
    advanced: bool = False
    opening: tuple[Path, dict[str, Any]] | None = None
    asked: set[str] = field(default_factory=set)

    def ask(self, wish: str) -> None:
        """Ask the viewer for something that belongs to no command of the session."""
        self.asked.add(wish)

    def take(self, wish: str) -> bool:
        """Whether this was asked for; it is then done with."""
        wanted = wish in self.asked
        self.asked.discard(wish)
        return wanted

    @property
    def weight_key(self) -> tuple:
        """Changes when the colours of weights change."""
        return self.weights, self.localized, self.signed
