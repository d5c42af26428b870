"""Closed forms checked against a second derivation each: a recurrence, an integral, or a limit."""

import numpy as np
import pytest
from oracle import closed_forms


def test_cantilever_is_the_integral_of_its_bending_moment():
    length, width, height, young, force, load = 2.0, 0.1, 0.2, 1e6, 3.0, 4.0
    x = np.linspace(0, length, 20001)
    moment = force * (length - x) + load * (length - x) ** 2 / 2
    rigidity = young * width * height**3 / 12
    virtual = np.trapezoid(moment * (length - x) / rigidity, x)
    tip = closed_forms.cantilever_tip(
        length, width, height, young, 0.3, force=force, line_load=load, shear=False
    )
    assert tip == pytest.approx(virtual, rel=1e-7)
    with_shear = closed_forms.cantilever_tip(length, width, height, young, 0.3, force=force, line_load=load)
    assert 1.0 < with_shear / tip < 1.02


@pytest.mark.parametrize("dt", [0.05, 0.001])
def test_implicit_euler_fall_and_oscillator_are_their_recurrences(dt):
    position, velocity, gravity, frequency = 0.0, 1.5, 9.81, 7.0
    q, p = 0.8, -0.3
    for step in range(1, 41):
        velocity -= dt * gravity
        position += dt * velocity
        p = (p - dt * frequency**2 * q) / (1 + (frequency * dt) ** 2)
        q += dt * p
        expected = closed_forms.fall_implicit_euler(step, dt, gravity, velocity=1.5)
        assert position == pytest.approx(expected, rel=1e-12)
        expected = closed_forms.oscillator_implicit_euler(step, dt, frequency, position=0.8, velocity=-0.3)
        assert q == pytest.approx(float(expected), abs=1e-12)


def test_discrete_forms_converge_to_the_continuous_ones():
    n = 100_000
    assert closed_forms.fall_implicit_euler(n, 1 / n, 9.81, velocity=2.0) == pytest.approx(
        closed_forms.fall(1.0, 9.81, velocity=2.0), abs=1e-4
    )
    assert closed_forms.oscillator_implicit_euler(n, 1 / n, 5.0, velocity=1.0) == pytest.approx(
        closed_forms.oscillator(1.0, 5.0, velocity=1.0), abs=1e-3
    )
    assert closed_forms.sliding_distance_implicit_euler(3.0, 0.4, 9.81, 1e-5) == pytest.approx(
        closed_forms.sliding_distance(3.0, 0.4, 9.81), rel=1e-4
    )


def test_fall_time_reaches_the_ground():
    assert closed_forms.fall(closed_forms.fall_time(7.0, 9.81), 9.81) == pytest.approx(-7.0)
