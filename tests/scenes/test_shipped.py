"""Every shipped scene, without drawing: its hands play, it settles, and its final state is what physics allows.

Bounds are from the scene itself: a body of longest side H, stiffness E and density rho sags by its own weight by no
more than rho g H^2 / E (a column of it by half of that).
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scenes.build import build_world
from scenes.events import ScriptedHands
from scenes.load import load_scene
from scenes.shipped import shipped_scenes
from sim.material import Material

SETTLING = 4.0  # s after the last hand has let go
SCENES = shipped_scenes()
GRAVITY = 9.81


class Run:
    """A scene played to its end, and what was seen on the way."""

    def __init__(self, name: str) -> None:
        self.scene = load_scene(SCENES[name])
        self.world = build_world(self.scene, device="cpu")
        self.body = self.world.bodies[0]
        self.rest = self.body.shape.vertices.numpy()
        self.size = float(np.ptp(self.rest, axis=0).max())
        self.start = self.body.centre_of_mass()
        self.above = self.body.rest_centre[1] - self.rest[:, 1].min()  # of the centre over where it stands
        hands = ScriptedHands(self.world, self.scene.events)
        self.released = max(event.until for event in self.scene.events)
        self.reports, self.finite, self.pulled = [], True, []
        while self.world.time < self.released + SETTLING:
            hands.follow()
            self.pulled.append(bool(self.world.grabs))
            self.reports.append(self.world.step())
            self.finite &= bool(torch.isfinite(self.body.positions()).all())
        self.energy = np.array([report.energy for report in self.reports])
        self.kinetic = np.array([report.kinetic for report in self.reports])

    @property
    def after_release(self) -> int:
        """Number of the first step without hands."""
        return len(self.pulled) - self.pulled[::-1].index(True)

    @property
    def sag(self) -> float:
        """rho g H^2 / E [m], of its softest part."""
        material: Material = self.body.material
        young = float(np.min(np.asarray(material.young)))
        return float(np.max(np.asarray(material.density))) * GRAVITY * self.size**2 / young

    @property
    def scale(self) -> float:
        """Energy of lifting the body by its size [J]."""
        return self.body.mass * GRAVITY * self.size


@pytest.fixture(scope="module", params=SCENES)
def run(request) -> Run:
    return Run(request.param)


def test_nothing_goes_wrong_on_the_way(run):
    assert run.finite
    assert [report.message for report in run.reports if report.message] == []
    assert np.isfinite(run.energy).all()


def test_the_hands_move_the_body(run):
    """A hand puts energy in, which without it could only fall."""
    held = np.array(run.pulled)
    gained = np.diff(run.energy)[held[1:]]
    assert gained[gained > 0].sum() > 0.01 * run.scale


def test_without_hands_energy_only_falls(run):
    """But for what the floor and the pins hold for a moment, which the report does not count."""
    free = run.energy[run.after_release :]
    assert free[-1] < free[0]
    assert np.diff(free).max() < 2e-3 * run.scale


def test_it_comes_to_rest(run):
    part = run.scene.bodies[0]
    damped = part.damping.stiffness > 0 or run.scene.floor is not None
    last_second = run.kinetic[-60:].max()
    if damped:
        assert last_second < 1e-3 * run.scale
    else:  # it swings on, losing only what the time step takes
        assert last_second < run.kinetic[run.after_release :].max()


def test_it_keeps_its_volume_and_turns_nowhere_inside_out(run):
    volume = torch.linalg.det(run.body.deformation_gradients())
    assert volume.min() > 0.3
    assert float(volume.mean()) == pytest.approx(1.0, abs=0.03)


def test_pins_hold_their_points_where_they_were(run):
    if not run.world.pins:
        assert run.scene.floor is not None  # something must hold it
    for pin in run.world.pins:
        moved = run.body.deform(pin.rest).numpy() - pin.force.targets
        assert np.abs(moved).max() < 2e-3 * run.size


def test_it_ends_where_its_weight_and_what_holds_it_allow(run):
    if run.scene.floor is not None:
        _stands(run, run.scene.floor.height)
    else:
        _hangs(run)


def _stands(run: Run, ground: float) -> None:
    lowest = float(run.body.positions()[:, 1].min()) - ground
    # The floor pushes at contact points; skin between them may pass it a little.
    assert abs(lowest) < 0.03 * run.size
    above = run.body.centre_of_mass()[1] - ground
    assert run.above - run.sag < above < run.above + 0.03 * run.size
    aside = run.body.centre_of_mass()[[0, 2]] - run.start[[0, 2]]
    assert np.linalg.norm(aside) < 2 * run.size  # pulled along by its hands, not flung away


def _hangs(run: Run) -> None:
    held = np.concatenate([pin.force.targets for pin in run.world.pins])
    centre = run.body.centre_of_mass()
    assert centre[1] < run.start[1]
    assert centre[1] < held[:, 1].max()
    before = np.linalg.norm(run.start - held.mean(0))
    assert np.linalg.norm(centre - held.mean(0)) < before + run.sag
