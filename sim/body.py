"""Body: a shape of a material, moved by handles; its reduced model, its state, and where its points are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from sim.basis import HandleBasis
from sim.contact_points import ContactPoints, contact_points
from sim.cubature import Cubature
from sim.elasticity import Elasticity
from sim.incremental_potential import Damping
from sim.material import Material
from sim.reduced_model import CubatureChoice, ReducedModel, build_model, lame_parameters
from sim.reduction import ReducedSpace
from sim.shape import Shape


@dataclass(frozen=True)
class PreparedBasis:
    """Other handles for a body with all that is heavy computed; made by `Body.prepare`, in any thread.

    Attributes:
        model: the body's new reduced model. origin: the coordinates the body had then.
        carry: turns those into the new ones, `z' = z carry`, shape (r, r').
    """

    model: ReducedModel
    origin: ReducedSpace
    carry: np.ndarray

    @property
    def basis(self) -> HandleBasis:
        """The handles that move it."""
        """The new handles."""
        return self.model.space.basis


class Body:
    """A solid that can be added to a world.

    Args:
        shape: what it fills. material: what it is made of. basis: the handles that move it.
        cubature: `"optimized"` (best; takes seconds once, then it is kept with the basis), `"clusters"` (at
            once), `"uniform"` (2048 samples), a number of k-means points, or `(points, weights)`.
        damping: beside the numerical damping of implicit Euler.
        seed: for the training poses of the optimised cubature.
        contact: the points of its surface that touch things; None spreads some over the shape's.

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
        contact: ContactPoints | None = None,
    ) -> None:
        self.shape = shape
        self.contact = contact or contact_points(shape)
        self.name = name or shape.name
        self.damping = damping or Damping()
        self._seed = seed
        self._device = torch.device("cpu")
        self._material = material
        self._adopt(build_model(shape, material, basis, cubature, device=self._device, seed=seed))

    # -- what it is made of ---------------------------------------------------------------------------------

    @property
    def material(self) -> Material:
        """What it is made of; see `World.set_material` to change it."""
        return self._material

    @property
    def basis(self) -> HandleBasis:
        return self._model.space.basis

    @property
    def space(self) -> ReducedSpace:
        """The reduced coordinates its state is in."""
        return self._model.space

    @property
    def cubature(self) -> Cubature:
        """The points and weights its elastic energy is summed over."""
        return self._model.cubature

    @property
    def elasticity(self) -> Elasticity:
        """Its elastic energy over the reduced coordinates, with gradient and Hessian."""
        return self._model.elasticity

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
        mu = self._material.lame(len(self.space.volumes))[0].numpy()
        return self.space.shear * float(mu.mean() / self._reference_mu)

    @property
    def size(self) -> float:
        """Longest side of the box around its reference samples [m]."""
        return self.space.scale

    def set_material(self, material: Material) -> None:
        """Change stiffness, compressibility, density or law at once; the state stays.

        Raises:
            MaterialError: per-sample values that do not match the shape's samples.
        """
        law_changed = material.law != self._material.law
        mass = self._mass_matrix(material)
        lame = lame_parameters(self.space, self.cubature, material)
        self._material, self._mass_data = material, mass
        if law_changed:
            self._model = self._model.on_device(self.shape, material, self._device)
        else:
            self.elasticity.set_lame(*lame)

    def prepare(
        self,
        basis: HandleBasis,
        *,
        cubature: CubatureChoice | None = None,
        on_progress: Callable[[float], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> PreparedBasis:
        """Compute what other handles need, changing nothing: `set_basis` then takes it within milliseconds.

        Safe in another thread while the body moves.

        Args:
            cubature: as in `Body`; the body's own choice when None.
            on_progress: told the share done of choosing the cubature. cancel: stops that.

        Raises:
            BasisError, WorldError: they do not fit this body. Cancelled: `cancel` was set.
        """
        material, origin = self._material, self.space
        model = build_model(
            self.shape,
            material,
            basis,
            self._model.choice if cubature is None else cubature,
            device=self._device,
            seed=self._seed,
            on_progress=on_progress,
            cancel=cancel,
        )
        return PreparedBasis(model, origin, self._carry(origin, model))

    def set_basis(
        self, basis: HandleBasis | PreparedBasis, *, cubature: CubatureChoice | None = None
    ) -> np.ndarray:
        """Other handles for the same body; its motion goes on.

        Position and velocity are carried over by mass-weighted least squares over the reference samples:
        `z' = argmin sum_i m_i |z' phi'_i - z phi_i|^2`, which with orthonormal `phi'` is one product.

        Args:
            basis: the handles, or what `prepare` made of them. cubature: with handles only.

        Returns:
            What coordinates are multiplied by, `z' = z carry`, shape (r, r').
        """
        prepared = basis if isinstance(basis, PreparedBasis) else self.prepare(basis, cubature=cubature)
        carry = prepared.carry
        if prepared.origin is not self.space:  # other handles came in between
            carry = self._carry(self.space, prepared.model)
        position, velocity, initial = self.position, self.velocity, self._initial
        self._adopt(prepared.model)
        self.position, self.velocity = position @ carry, velocity @ carry
        self._initial = (initial[0] @ carry, initial[1] @ carry)
        return carry

    def place(self, linear: np.ndarray, translation: np.ndarray, velocity: np.ndarray) -> None:
        """Put the whole body at `linear X + translation` [m] with a velocity field; `reset` comes back here.

        Args:
            linear: shape (3, 3). translation: [m], shape (3,). velocity: reduced rates, shape (3, r).
        """
        self._initial = (self.space.affine_state(linear, translation), velocity)
        self.reset()

    def reset(self) -> None:
        """Back to where it was placed, with the velocity it had then."""
        self.position, self.velocity = (part.copy() for part in self._initial)

    # -- where its points are -------------------------------------------------------------------------------

    def positions(self) -> torch.Tensor:
        """Current vertex positions [m], float32 on the world's device, shape (V, 3)."""
        return self._model.skin.positions(self.space.raw_transforms(self.position))

    @property
    def skinning_weights(self) -> torch.Tensor:
        """The handles' weights at the vertices, float32 on the CPU, shape (V, H): what `positions` draws with."""
        return self._model.skin.weights.cpu()

    def deform(self, points: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Current positions [m] of rest points [m], shape (n, 3) -> (n, 3), float64 on the world's device."""
        rest = torch.as_tensor(points).detach().cpu().double().numpy()
        moved = rest + self.space.phi_at(rest) @ self.position.T
        return torch.from_numpy(moved).to(self._device)

    def deformation_gradients(self) -> torch.Tensor:
        """F at the reference samples, float64 on the world's device, shape (N, 3, 3)."""
        F = np.eye(3) + (self.space.gradient @ self.position.T).transpose(0, 2, 1)
        return torch.from_numpy(F).to(self._device)

    def handle_transforms(self) -> torch.Tensor:
        """`T_h` of `x(X) = X + sum_h w_h(X) T_h [X; 1]` in metres, float64, shape (H, 3, 4)."""
        return torch.from_numpy(self.space.raw_transforms(self.position)).to(self._device)

    def pose(self, transforms: torch.Tensor) -> None:
        """Take on the handle transforms `T_h`, shape (H, 3, 4) in metres, at rest: for playing back."""
        self.position = self.space.state_of(transforms.detach().cpu().double().numpy())
        self.velocity = np.zeros_like(self.position)

    def kinetic_energy(self) -> float:
        """[J]"""
        mass = self.generalized_mass
        momentum = self.velocity @ mass if isinstance(mass, np.ndarray) else mass * self.velocity
        return float((self.velocity * momentum).sum()) / 2

    def elastic_energy(self) -> float:
        """[J], over the cubature points."""
        return self.elasticity.energy_gradient(self.position)[0]

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
            self._model = self._model.on_device(self.shape, self._material, device)

    # -- building -------------------------------------------------------------------------------------------

    def _adopt(self, model: ReducedModel) -> None:
        self._model = model
        self._reference_mass = self._sample_mass(model.material)
        self._reference_mu = float(model.material.lame(len(self._reference_mass))[0].mean())
        self._mass_data = self._mass_matrix(self._material)
        if model.material is not self._material:  # it was changed while the model was made
            self._refit()
        zero = np.zeros((3, self.space.rank))
        self._initial = (zero, zero)
        self.reset()

    def _refit(self) -> None:
        material = self._material
        if material.law != self._model.material.law:
            self._model = self._model.on_device(self.shape, material, self._device)
        else:
            self.elasticity.set_lame(*lame_parameters(self.space, self.cubature, material))

    def _carry(self, origin: ReducedSpace, model: ReducedModel) -> np.ndarray:
        return origin.phi.T @ (self._sample_mass(model.material)[:, None] * model.space.phi)

    def _sample_mass(self, material: Material) -> np.ndarray:
        volumes = self.space.volumes
        return volumes * material.per_sample("density", len(volumes)).numpy()

    def _mass_matrix(self, material: Material) -> tuple[np.ndarray | float, np.ndarray]:
        mass = self._sample_mass(material)
        self._total_mass = float(mass.sum())
        self._rest_centre = mass @ self.space.samples / self._total_mass
        ratio = mass / self._reference_mass
        moment = mass @ self.space.phi
        if np.ptp(ratio) < 1e-12 * ratio[0]:
            return float(ratio[0]), moment
        return self.space.phi.T @ (mass[:, None] * self.space.phi), moment
