"""Body: a shape of a material, moved by handles; its reduced model, its state, and where its points are."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from sim.basis import HandleBasis
from sim.cubature import (
    UNIFORM_POINTS,
    Cubature,
    cluster_cubature,
    explicit_cubature,
    uniform_cubature,
)
from sim.cubature_training import optimize_cubature
from sim.elasticity import Elasticity, FastNeoHookean, LinearElasticity, TorchNeoHookean
from sim.errors import WorldError
from sim.incremental_potential import Damping
from sim.material import Material
from sim.reduction import ReducedSpace, reduce
from sim.shape import Shape
from sim.skinning import Skin

CubatureChoice = Literal["optimized", "clusters", "uniform"] | int | Cubature | tuple


class Body:
    """A solid that can be added to a world.

    Args:
        shape: what it fills. material: what it is made of. basis: the handles that move it.
        cubature: `"optimized"` (best; takes seconds once, then it is kept with the basis), `"clusters"` (at
            once), `"uniform"` (2048 samples), a number of k-means points, or `(points, weights)`.
        damping: beside the numerical damping of implicit Euler.
        seed: for the training poses of the optimised cubature.

    Raises:
        MaterialError, BasisError, WorldError: parts that do not fit together.
    """

    def __init__(
        self,
        shape: Shape,
        material: Material,
        basis: HandleBasis,
        cubature: CubatureChoice = "optimized",
        *,
        damping: Damping | None = None,
        seed: int = 0,
        name: str = "",
    ) -> None:
        self.shape = shape
        self.name = name or shape.name
        self.damping = damping or Damping()
        self._seed = seed
        self._device = torch.device("cpu")
        self._material = material
        self._choice = cubature
        self._adopt(basis)

    # -- what it is made of ---------------------------------------------------------------------------------

    @property
    def material(self) -> Material:
        return self._material

    @property
    def basis(self) -> HandleBasis:
        return self._basis

    @property
    def space(self) -> ReducedSpace:
        """The reduced coordinates its state is in."""
        return self._space

    @property
    def cubature(self) -> Cubature:
        """The points and weights its elastic energy is summed over."""
        return self._cubature

    @property
    def elasticity(self) -> Elasticity:
        return self._elasticity

    @property
    def mass(self) -> float:
        """[kg]"""
        return self._total_mass

    @property
    def rest_centre(self) -> np.ndarray:
        """Centre of mass of the rest shape [m], shape (3,)."""
        return self._rest_centre

    @property
    def mass_scale(self) -> float:
        """Mass now over mass when the reduced coordinates were built."""
        return self._total_mass / float(self._reference_mass.sum())

    @property
    def shear_stiffness(self) -> np.ndarray:
        """Diagonal of the shear stiffness over the reduced coordinates [1/s2], shape (r,)."""
        mu = self._material.lame(len(self._space.volumes))[0].numpy()
        return self._space.shear * float(mu.mean() / self._reference_mu)

    @property
    def size(self) -> float:
        """Longest side of the box around its reference samples [m]."""
        return self._space.scale

    def set_material(self, material: Material) -> None:
        """Change stiffness, compressibility, density or law at once; the state stays.

        Raises:
            MaterialError: per-sample values that do not match the shape's samples.
        """
        law_changed = material.law != self._material.law
        mass = self._mass_matrix(material)
        mu, lam = self._lame(material)
        self._material, self._mass_data = material, mass
        if law_changed:
            self._elasticity = self._build_elasticity()
        else:
            self._elasticity.set_lame(mu, lam)

    def set_basis(self, basis: HandleBasis, *, cubature: CubatureChoice | None = None) -> None:
        """Other handles for the same body; its motion goes on.

        Position and velocity are carried over by mass-weighted least squares over the reference samples:
        `z' = argmin sum_i m_i |z' phi'_i - z phi_i|^2`, which with orthonormal `phi'` is one product.
        """
        old, position, velocity = self._space, self.position, self.velocity
        initial = self._initial
        if cubature is not None:
            self._choice = cubature
        self._adopt(basis)
        carry = old.phi.T @ (self._sample_mass(self._material)[:, None] * self._space.phi)
        self.position, self.velocity = position @ carry, velocity @ carry
        self._initial = (initial[0] @ carry, initial[1] @ carry)

    def place(self, linear: np.ndarray, translation: np.ndarray, velocity: np.ndarray) -> None:
        """Put the whole body at `linear X + translation` [m] with a velocity field; `reset` comes back here.

        Args:
            linear: shape (3, 3). translation: [m], shape (3,). velocity: reduced rates, shape (3, r).
        """
        self._initial = (self._space.affine_state(linear, translation), velocity)
        self.reset()

    def reset(self) -> None:
        """Back to where it was placed, with the velocity it had then."""
        self.position, self.velocity = (part.copy() for part in self._initial)

    # -- where its points are -------------------------------------------------------------------------------

    def positions(self) -> torch.Tensor:
        """Current vertex positions [m], float32 on the world's device, shape (V, 3)."""
        return self._skin.positions(self._space.raw_transforms(self.position))

    def deform(self, points: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Current positions [m] of rest points [m], shape (n, 3) -> (n, 3), float64 on the world's device."""
        rest = torch.as_tensor(points).detach().cpu().double().numpy()
        moved = rest + self._space.phi_at(rest) @ self.position.T
        return torch.from_numpy(moved).to(self._device)

    def deformation_gradients(self) -> torch.Tensor:
        """F at the reference samples, float64 on the world's device, shape (N, 3, 3)."""
        F = np.eye(3) + (self._space.gradient @ self.position.T).transpose(0, 2, 1)
        return torch.from_numpy(F).to(self._device)

    def handle_transforms(self) -> torch.Tensor:
        """`T_h` of `x(X) = X + sum_h w_h(X) T_h [X; 1]` in metres, float64, shape (H, 3, 4)."""
        return torch.from_numpy(self._space.raw_transforms(self.position)).to(self._device)

    def pose(self, transforms: torch.Tensor) -> None:
        """Take on the handle transforms `T_h`, shape (H, 3, 4) in metres, at rest: for playing back."""
        T = transforms.detach().cpu().double().numpy()
        linear, shift = T[:, :, :3], T[:, :, 3]
        local = np.empty((len(T), 4, 3))
        local[:, :3] = linear.transpose(0, 2, 1) * self._space.scale
        local[:, 3] = shift + linear @ self._space.centre
        self.position = np.ascontiguousarray((self._space.inverse @ local.reshape(-1, 3)).T)
        self.velocity = np.zeros_like(self.position)

    def kinetic_energy(self) -> float:
        """[J]"""
        mass = self.generalized_mass
        momentum = self.velocity @ mass if isinstance(mass, np.ndarray) else mass * self.velocity
        return float((self.velocity * momentum).sum()) / 2

    def elastic_energy(self) -> float:
        """[J], over the cubature points."""
        return self._elasticity.energy_gradient(self.position)[0]

    def centre_of_mass(self) -> np.ndarray:
        """Current centre of mass [m], shape (3,)."""
        return self._rest_centre + self.position @ self.first_moment / self._total_mass

    # -- for the world --------------------------------------------------------------------------------------

    @property
    def generalized_mass(self) -> np.ndarray | float:
        """Mass over the coordinates of one axis: 1 (the identity) until the density is changed."""
        return self._mass_data[0]

    @property
    def first_moment(self) -> np.ndarray:
        """`sum_i m_i phi_i`, shape (r,): gravity's generalized force is its outer product with g."""
        return self._mass_data[1]

    def to(self, device: torch.device) -> None:
        """Compute and hand out results on this device."""
        if device != self._device:
            self._device = device
            self._skin = Skin(self.shape.vertices, self._basis.weights(self.shape.vertices), device)
            self._elasticity = self._build_elasticity()

    # -- building -------------------------------------------------------------------------------------------

    def _adopt(self, basis: HandleBasis) -> None:
        self._basis = basis
        self._space = reduce(self.shape, self._material, basis)
        self._mass_data = self._mass_matrix(self._material, fresh=True)
        self._cubature = self._choose(self._choice)
        self._elasticity = self._build_elasticity()
        self._skin = Skin(self.shape.vertices, basis.weights(self.shape.vertices), self._device)
        zero = np.zeros((3, self._space.rank))
        self._initial = (zero, zero)
        self.reset()

    def _choose(self, choice: CubatureChoice) -> Cubature:
        samples, volumes = self._space.samples, self._space.volumes
        if isinstance(choice, Cubature):
            return choice
        if isinstance(choice, tuple):
            return explicit_cubature(*choice, samples)
        if isinstance(choice, int) and choice > 0:
            return cluster_cubature(samples, volumes, choice)
        if choice == "clusters":
            return cluster_cubature(samples, volumes, 16 * self._basis.handles)
        if choice == "uniform":
            return uniform_cubature(samples, volumes, UNIFORM_POINTS)
        if choice == "optimized":
            kept = self._basis.cubature
            if kept is not None and kept.fits(samples):
                return Cubature(kept.points.numpy(), kept.weights.numpy(), kept.samples.numpy())
            return optimize_cubature(self._space, self._material, seed=self._seed)
        raise WorldError(
            f"Unknown cubature {choice!r}: use 'optimized', 'clusters', 'uniform', a number of points, "
            "or (points, weights)."
        )

    def _build_elasticity(self) -> Elasticity:
        if self._material.law == "linear":
            return LinearElasticity(self._space.gradient, self._space.volumes, *self._lame(self._material))
        A = self._space.gradient_at(self._cubature.points)
        mu, lam = self._lame(self._material)
        if self._device.type == "cpu":
            return FastNeoHookean(A, self._cubature.weights, mu, lam)
        return TorchNeoHookean(A, self._cubature.weights, mu, lam, device=self._device)

    def _lame(self, material: Material) -> tuple[np.ndarray, np.ndarray]:
        count = len(self._space.samples)
        if material.law == "linear":
            return tuple(value.numpy() for value in material.lame(count))
        return self._cubature.lame(material, count, self._space.volumes)

    def _sample_mass(self, material: Material) -> np.ndarray:
        return self._space.volumes * material.per_sample("density", len(self._space.volumes)).numpy()

    def _mass_matrix(
        self, material: Material, *, fresh: bool = False
    ) -> tuple[np.ndarray | float, np.ndarray]:
        mass = self._sample_mass(material)
        if fresh:
            self._reference_mass = mass
            self._reference_mu = float(material.lame(len(mass))[0].mean())
        self._total_mass = float(mass.sum())
        self._rest_centre = mass @ self._space.samples / self._total_mass
        ratio = mass / self._reference_mass
        moment = mass @ self._space.phi
        if np.ptp(ratio) < 1e-12 * ratio[0]:
            return float(ratio[0]), moment
        return self._space.phi.T @ (mass[:, None] * self._space.phi), moment
