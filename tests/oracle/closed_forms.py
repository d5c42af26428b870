"""Textbook answers, in SI units, for the simulator and the oracle FEM to be held against."""

from __future__ import annotations

import numpy as np


def cantilever_tip(
    length: float,
    width: float,
    height: float,
    young: float,
    poisson: float,
    *,
    force: float = 0.0,
    line_load: float = 0.0,
    shear: bool = True,
) -> float:
    """Tip deflection [m] of a clamped rectangular beam, small: `P L^3/3EI + w L^4/8EI` (Euler-Bernoulli).

    force: at the tip [N]. line_load: along the beam [N/m], say its own weight. height: along the load [m].
    With `shear`, plus `P L/kGA + w L^2/2kGA` (Timoshenko), `k = 10 (1 + nu)/(12 + 11 nu)` (Cowper 1966).
    """
    bending = young * width * height**3 / 12
    deflection = force * length**3 / (3 * bending) + line_load * length**4 / (8 * bending)
    if shear:
        cowper = 10 * (1 + poisson) / (12 + 11 * poisson)
        rigidity = cowper * young / (2 * (1 + poisson)) * width * height
        deflection += force * length / rigidity + line_load * length**2 / (2 * rigidity)
    return deflection


def hanging_bar_stretch(length: float, young: float, density: float, gravity: float) -> float:
    """Stretch [m] of a bar that hangs from one end under its own weight, small: `rho g L^2 / 2E`."""
    return density * gravity * length**2 / (2 * young)


def uniaxial_linear(stretch: float, young: float) -> float:
    """Energy density [J/m3] of linear elasticity at `F_xx = stretch`, free to contract sideways."""
    return young / 2 * (stretch - 1) ** 2


def uniaxial_neo_hookean(stretch: float, mu: float, lambda_0: float) -> tuple[float, float]:
    """Energy density [J/m3] and lateral stretch [-] of stable Neo-Hookean, free to contract sideways.

    `dPsi/dt = 0` at `F = diag(s, t, t)` gives `t^2 = ((lambda + mu) s - mu) / (lambda s^2)`, with
    `lambda = lambda_0 + mu`.
    """
    lam = lambda_0 + mu
    lateral = np.sqrt(((lam + mu) * stretch - mu) / (lam * stretch**2))
    J = stretch * lateral**2
    norm = stretch**2 + 2 * lateral**2
    return mu / 2 * (norm - 3) + lam / 2 * (J - 1) ** 2 - mu * (J - 1), float(lateral)


def confined_linear(stretch: float, mu: float, lambda_0: float) -> float:
    """Energy density [J/m3] of linear elasticity at `F = diag(stretch, 1, 1)`."""
    return (mu + lambda_0 / 2) * (stretch - 1) ** 2


def confined_neo_hookean(stretch: float, mu: float, lambda_0: float) -> float:
    """Energy density [J/m3] of stable Neo-Hookean at `F = diag(stretch, 1, 1)`, where `J = stretch`."""
    strain = stretch - 1
    return mu / 2 * (stretch**2 - 1) + (lambda_0 + mu) / 2 * strain**2 - mu * strain


def simple_shear(angle: float, mu: float) -> float:
    """Energy density [J/m3] of both laws at `F = I + angle e_x (x) e_y`: J stays 1, so `mu/2 angle^2`."""
    return mu / 2 * angle**2


def fall(time: float, gravity: float, *, velocity: float = 0.0) -> float:
    """Height gained [m] after `time` [s] in free flight: `v t - g t^2 / 2`."""
    return velocity * time - gravity * time**2 / 2


def fall_implicit_euler(steps: int, dt: float, gravity: float, *, velocity: float = 0.0) -> float:
    """Height gained [m] by implicit Euler: `n dt v - g dt^2 n (n + 1) / 2` after n steps, a little lower."""
    return steps * dt * velocity - gravity * dt**2 * steps * (steps + 1) / 2


def fall_time(height: float, gravity: float) -> float:
    """Time [s] to fall `height` [m] from rest."""
    return float(np.sqrt(2 * height / gravity))


def sliding_distance(speed: float, friction: float, gravity: float) -> float:
    """Way [m] that a block slides on level ground under Coulomb friction: `v^2 / 2 mu g`."""
    return speed**2 / (2 * friction * gravity)


def sliding_distance_implicit_euler(speed: float, friction: float, gravity: float, dt: float) -> float:
    """The same under implicit Euler, where the friction of a step acts on its whole way; 0 once it sticks."""
    distance, loss = 0.0, friction * gravity * dt
    while speed > loss:
        speed -= loss
        distance += dt * speed
    return distance


def floor_rest_depth(mass: float, gravity: float, stiffness: float) -> float:
    """Depth [m] at which a rigid block rests in a penalty floor of total `stiffness` [N/m]: `m g / k`."""
    return mass * gravity / stiffness


def oscillator(
    time: np.ndarray, frequency: float, *, position: float = 1.0, velocity: float = 0.0
) -> np.ndarray:
    """Harmonic oscillator `x'' = -frequency^2 x` [rad/s] at `time` [s]."""
    return position * np.cos(frequency * time) + velocity / frequency * np.sin(frequency * time)


def oscillator_implicit_euler(
    steps: np.ndarray, dt: float, frequency: float, *, position: float = 1.0, velocity: float = 0.0
) -> np.ndarray:
    """The same under implicit Euler: `z' (1 + i w dt) = z` for `z = x + i v/w`.

    So `x_n = Re z_0 (1 + i w dt)^-n`. The amplitude decays by `(1 + w^2 dt^2)^(-1/2)` a step.
    """
    start = position + 1j * velocity / frequency
    return np.real(start * (1 + 1j * frequency * dt) ** (-np.asarray(steps, float)))
