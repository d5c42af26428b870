"""Simulate: what the body is made of, what pulls at it, what holds it, and how its energy goes."""

from __future__ import annotations

import math

import polyscope.imgui as psim
import polyscope.implot as implot

from app.plots import plot
from app.session import Session
from app.theme import with_alpha
from app.ui import Ui
from scenes.check import material_of
from scenes.schema import BodyPart, MaterialValues
from sim.body import Body
from sim.material import PRESETS

_G = 9.81  # [m/s2]


def draw(session: Session, ui: Ui) -> None:
    with ui.section("Simulate") as shown:
        if not shown:
            return
        body = session.selected_body
        if body is None or session.scene is None:
            ui.faint("Open something to play with it.")
            return
        part = session.scene.bodies[session.bodies.index(body)]
        _material(session, ui, body, part)
        _hand(session, ui)
        _world(session, ui)
        _damping(session, ui, body, part)
        _energies(session, ui)
    with ui.section("Held", opened=False) as shown:
        if shown:
            _held(session, ui)


def _material(session: Session, ui: Ui, body: Body, part: BodyPart) -> None:
    current = material_of(part.material)
    name = part.material if isinstance(part.material, str) else "own values"
    ui.label("Material")
    if psim.BeginCombo("##material", name):
        try:
            for preset in PRESETS:
                if psim.Selectable(preset, preset == name):
                    session.attempt(session.set_material, body, preset)
                    session.settle()
        finally:
            psim.EndCombo()
    values = {key: float(getattr(current, key)) for key in ("young", "poisson", "density")}
    law = getattr(current, "law", "neo-hookean")

    def change(key: str, value: float | None) -> None:
        if value is not None:
            chosen = MaterialValues(**{**values, key: float(f"{value:.4g}")}, law=law)
            session.attempt(session.set_material, body, chosen)

    change(
        "young",
        ui.slider(
            "Stiffness",
            values["young"],
            1e3,
            1e8,
            stiffness_format(values["young"]),
            log=True,
            hint="Young's modulus: jelly is some 10 kPa, a rubber eraser some MPa.",
            then=session.settle,
        ),
    )
    change(
        "poisson",
        ui.slider(
            "Poisson",
            values["poisson"],
            0.0,
            0.49,
            "%.2f",
            hint="How much it thins when stretched: 0 like cork, near 0.5 like rubber.",
            then=session.settle,
        ),
    )
    change(
        "density",
        ui.slider("Density", values["density"], 20.0, 8000.0, "%.0f kg/m³", log=True, then=session.settle),
    )


def stiffness_format(pascals: float) -> str:
    """A slider's format that shows this value in Pa, kPa or MPa; the number is written out, not left to ImGui."""
    for unit, size in (("MPa", 1e6), ("kPa", 1e3)):
        if pascals >= size:
            return f"{pascals / size:.3g} {unit}"
    return f"{pascals:.3g} Pa"


def _hand(session: Session, ui: Ui) -> None:
    strength = ui.slider(
        "Pull strength",
        session.pull_strength,
        0.1,
        10.0,
        "%.1f",
        log=True,
        hint="1 lifts the body well; the force of the hand is capped.",
    )
    if strength is not None:
        session.pull_strength = strength
    speed = ui.slider("Speed", session.speed, 0.05, 4.0, "%.2f ×", log=True, hint="1 is real time.")
    if speed is not None:
        session.set_speed(speed)


def _world(session: Session, ui: Ui) -> None:
    gravity = session.world.gravity
    size = float(math.sqrt(float(gravity @ gravity)))
    direction = gravity / size if size > 0 else (0.0, -1.0, 0.0)
    new = ui.slider("Gravity", size / _G, 0.0, 3.0, "%.2f g", hint="1 g is 9.81 m/s².", then=session.settle)
    if new is not None:
        # Of a gravity that was turned off the direction is not known any more: down.
        session.attempt(session.set_gravity, [float(new * _G * x) for x in direction])
    ui.label("Down is", "Where gravity pulls.")
    axes = {
        (0, -1, 0): "−y",
        (0, 1, 0): "+y",
        (-1, 0, 0): "−x",
        (1, 0, 0): "+x",
        (0, 0, -1): "−z",
        (0, 0, 1): "+z",
    }
    here = tuple(round(float(x)) for x in direction)
    chosen = ui.choice("down", here, axes)
    if chosen != here:
        session.attempt(session.set_gravity, [size * x for x in chosen])
    floor = session.scene.floor
    ui.label("Floor")
    changed, on = psim.Checkbox("##floor", floor is not None)
    if changed:
        session.attempt(session.set_floor, 0.0 if on else None)
        floor = session.scene.floor
    if floor is None:
        return
    psim.SameLine()
    psim.SetNextItemWidth(ui.free_width)
    moved, height = psim.DragFloat("##height", floor.height, 0.002, -10.0, 10.0, "height %.3f m")
    if moved:
        session.attempt(session.set_floor, height, floor.friction)
    friction = ui.slider(
        "Friction", floor.friction, 0.0, 2.0, "%.2f", hint="0 is ice, 1 is rubber on concrete."
    )
    if friction is not None:
        session.attempt(session.set_floor, floor.height, friction)


def _damping(session: Session, ui: Ui, body: Body, part: BodyPart) -> None:
    air = ui.slider(
        "Air drag", part.damping.mass, 0.0, 10.0, "%.2f 1/s", hint="Slows all motion.", then=session.settle
    )
    inner = ui.slider(
        "Inner damping",
        1e3 * part.damping.stiffness,
        0.0,
        100.0,
        "%.1f ms",
        hint="Slows changes of shape: less wobble.",
        then=session.settle,
    )
    if air is not None or inner is not None:
        mass = part.damping.mass if air is None else air
        stiffness = part.damping.stiffness if inner is None else 1e-3 * inner
        session.attempt(session.set_damping, body, mass, stiffness)


def _energies(session: Session, ui: Ui) -> None:
    energies = session.energies
    ui.heading("Energy [J]")
    with plot(ui, "##energies", 104) as shown:
        if not shown:
            return
        fit = implot.ImPlotAxisFlags_AutoFit
        implot.SetupAxes("", "", fit | implot.ImPlotAxisFlags_NoTickLabels, fit)
        implot.SetupLegend(implot.ImPlotLocation_NorthWest, implot.ImPlotLegendFlags_Horizontal)
        if len(energies):
            for label, values, color in (
                ("kinetic", energies.kinetic, ui.theme.warning),
                ("elastic", energies.elastic, ui.theme.bad),
                ("gravity", energies.gravity, ui.theme.accent),
            ):
                implot.SetNextLineStyle(with_alpha(color), ui.px(1.6))
                implot.PlotLine(label, energies.time, values)
    ui.pair("Step", f"{session.step_ms:.1f} ms   {session.iterations} iterations")


def _held(session: Session, ui: Ui) -> None:
    """Pins and led handles, each with a way out."""
    pins, grips = session.pins, session.grips
    if not pins and not grips:
        ui.faint("Nothing is held. Right-click a body to pin a place, or lead a handle (3).")
        return
    for pin in pins:
        psim.PushID(f"pin {pin.key}")
        ui.swatch(ui.theme.pin)
        psim.SameLine()
        psim.AlignTextToFramePadding()
        psim.TextUnformatted(f"Pin of {len(pin.rest)} points, {pin.body.name}")
        psim.SameLine(ui.px(270))
        if psim.SmallButton("✕"):
            session.attempt(session.unpin, pin)
        psim.PopID()
    for grip in grips:
        psim.PushID(f"grip {grip.key}")
        ui.swatch(ui.theme.accent)
        psim.SameLine()
        psim.AlignTextToFramePadding()
        psim.TextUnformatted(f"Handle {grip.handle}, {grip.body.name}")
        psim.SameLine(ui.px(270))
        if psim.SmallButton("✕"):
            session.attempt(grip.release)
        psim.PopID()
    if pins:
        ui.command(session, "unpin_all", "Take all pins away", width=ui.free_width)
