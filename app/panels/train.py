"""Train: how long, how far, the curve, and what to do with the weights meanwhile."""

from __future__ import annotations

import math

import numpy as np
import polyscope.imgui as psim
import polyscope.implot as implot

from app.plots import plot
from app.session import Session, TrainingView
from app.theme import mixed, with_alpha
from app.ui import Ui
from sim.body import Body

PRESETS = {"draft": "Draft", "good": "Good", "best": "Best"}
_HINTS = {
    "draft": "A few seconds: enough to play.",
    "good": "The usual choice.",
    "best": "As far as it goes; for final pictures.",
}
_ANEW = (
    "Learn the handles from the start again, in the background. The present ones stay until better ones are found, "
    "and are replaced at the end."
)
_MOST_HANDLES = 64


def draw(session: Session, ui: Ui) -> None:
    with ui.section("Train") as shown:
        if not shown:
            return
        training = session.training
        if training.active:
            _running(session, ui, training)
        else:
            _idle(session, ui, training)
        if training.state != "idle":
            _curve(ui, training)
            _figures(ui, training)


def _idle(session: Session, ui: Ui, training: TrainingView) -> None:
    ui.label("Quality")
    ui.view.train_preset = ui.choice("preset", ui.view.train_preset, PRESETS, _HINTS)
    body = session.selected_body
    have = body.basis.handles if body is not None else 32
    ui.label("Handles", "How many ways the body can bend. More follow finer, fewer are faster.")
    psim.BeginDisabled(body is None)
    wanted = ui.view.train_handles or min(have, _MOST_HANDLES)
    chosen = ui.knob("##handles", wanted, 2, _MOST_HANDLES, "%d", str(wanted), room=24)
    psim.EndDisabled()
    if chosen is not None:
        ui.view.train_handles = chosen
    width = ui.share(2)
    again = body is not None and is_trained(body)
    ui.command(
        session,
        "train",
        "Train anew" if again else "Train",
        ui.view.train_preset,
        ui.view.train_handles or None,
        width=width,
        primary=True,
        hint=_ANEW if again else "Learn better handles in the background; go on playing meanwhile.",
    )
    psim.SameLine()
    if ui.button("Save weights…", width=width, why_not=session.can("save_weights")):
        ui.view.ask("save weights")
    if training.message:
        ui.text(training.message, ui.theme.bad if training.state == "failed" else ui.theme.faint)


def _running(session: Session, ui: Ui, training: TrainingView) -> None:
    left = "" if math.isnan(training.seconds_left) else f"   {readable_time(training.seconds_left)} left"
    psim.ProgressBar(training.progress, (-1.0, 0.0), f"{training.progress:.0%}{left}")
    width = ui.share(2)
    if training.state == "paused":
        ui.command(session, "resume_training", "▶  Go on", width=width, primary=True)
    else:
        ui.command(session, "pause_training", "Pause", width=width)
    psim.SameLine()
    ui.command(
        session, "stop_training", "■  Stop", width=width, hint="End now and use what was learned so far."
    )
    ui.command(
        session,
        "use_weights_now",
        "Use weights now",
        width=width,
        hint="Put the weights as they are now into the moving body.",
    )
    psim.SameLine()
    changed, live = psim.Checkbox("Live", training.live_weights)
    ui.tooltip("Put better weights in by themselves every few seconds.")
    if changed:
        session.set_live_weights(live)
    if training.message:
        ui.faint(training.message)


def _curve(ui: Ui, training: TrainingView) -> None:
    steps, losses = positive(training.curve_steps, training.curve_losses)
    looks, energies = positive(training.look_steps, training.look_energies)
    with plot(ui, "##curve", 116) as shown:
        if not shown:
            return
        implot.SetupAxes("", "", implot.ImPlotAxisFlags_AutoFit, implot.ImPlotAxisFlags_AutoFit)
        implot.SetupAxisScale(implot.ImAxis_Y1, implot.ImPlotScale_Log10)
        _decades(losses, energies)
        implot.SetupLegend(implot.ImPlotLocation_NorthEast)
        if len(steps):
            implot.SetNextLineStyle(with_alpha(mixed(ui.theme.accent, ui.theme.panel, 0.45)), 1.0)
            implot.PlotLine("each step", steps, losses)
        if len(looks):
            implot.SetNextLineStyle(with_alpha(ui.theme.accent), ui.px(2.0))
            implot.PlotLine("energy", looks, energies)


def _decades(*curves: np.ndarray) -> None:
    """Marks on the logarithmic axis: ImPlot's own are powers of ten, of which a good curve may pass none."""
    values = np.concatenate(curves)
    if not len(values):
        return
    low, high = float(values.min()), float(values.max())
    if high < 30 * low:
        marks = np.geomspace(low, max(high, 1.001 * low), 3)
        implot.SetupAxisTicks(implot.ImAxis_Y1, marks, [short(float(mark)) for mark in marks])


def _figures(ui: Ui, training: TrainingView) -> None:
    ui.pair("Step", f"{training.step:,} of {training.steps:,}   {training.rate:.0f}/s")
    above = training.energy_above_bound
    if not math.isnan(above):
        ui.pair(
            "Energy above bound", f"{above:.1%}", "How far the energy is from where it seems to be heading."
        )
    if not math.isnan(training.rank):
        ui.pair(
            "Effective rank",
            f"{training.rank:.1f} of {training.rank_wanted}",
            "How many handles really differ.",
        )
    if not math.isnan(training.orthonormality):
        ui.pair("Off orthonormal", f"{training.orthonormality:.1e}", "0 is perfect.")


def is_trained(body: Body) -> bool:
    """Whether its handles were learned: in this window, or before they were read from a file."""
    return any(entry.get("step", 0) > 0 for entry in body.basis.history)


def positive(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a logarithmic axis can show, contiguous float64."""
    if np.isfinite(values).all() and (values > 0).all():
        return steps, values
    fine = np.isfinite(values) & (values > 0)
    return np.ascontiguousarray(steps[fine]), np.ascontiguousarray(values[fine])


def short(value: float) -> str:
    """A number in few characters, with k for thousands: an exponent tells nobody anything."""
    return f"{value / 1e3:.3g}k" if 1e3 <= value < 1e6 else f"{value:.3g}"


def readable_time(seconds: float) -> str:
    """As "8 s" or "2 min 5 s"."""
    if not math.isfinite(seconds):
        return "a while"
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
