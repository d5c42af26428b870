"""The session: everything the window shows, and every command its buttons give. No drawing here."""

from app.session.session import Session
from app.session.state import Refusal
from app.session.views import (
    Energies,
    GrabHandle,
    HandleGrip,
    HeldPin,
    LoadingView,
    SimulationState,
    Status,
    Tool,
    TrainingState,
    TrainingView,
)

__all__ = [
    "Energies",
    "GrabHandle",
    "HandleGrip",
    "HeldPin",
    "LoadingView",
    "Refusal",
    "Session",
    "SimulationState",
    "Status",
    "Tool",
    "TrainingState",
    "TrainingView",
]
