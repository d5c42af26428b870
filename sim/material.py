"""What a body is made of: stiffness, compressibility, density, and the law that binds them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from sim.errors import MaterialError

Scalar = float | np.ndarray | torch.Tensor
Law = Literal["neo-hookean", "linear"]

_LIMITS = {
    "young": (1.0, 1e13, "Young's modulus is in pascal, from 1 (a cloud of foam) to 1e13 (beyond diamond)"),
    "poisson": (-0.999, 0.4999, "Poisson's ratio lies between -0.999 and 0.4999 (0.5 is incompressible)"),
    "density": (1e-3, 1e6, "density is in kg/m3, from 0.001 to 1e6"),
}


@dataclass(frozen=True)
class Material:
    """An isotropic elastic solid; every value may vary from sample to sample.

    Attributes:
        young: Young's modulus [Pa], a float or shape (N,) over the shape's samples.
        poisson: Poisson's ratio [-], a float or shape (N,).
        density: mass density [kg/m3], a float or shape (N,).
        law: `"neo-hookean"` is the stable Neo-Hookean law of Smith, de Goes, Kim 2018 (eq. 14, rest-stable
            form); `"linear"` is small-strain linear elasticity, right only for small rotations.
        name: what people call it.

    Raises:
        MaterialError: a value is not finite or outside its allowed range, which the message states.
    """

    young: Scalar = 1e5
    poisson: Scalar = 0.45
    density: Scalar = 1000.0
    law: Law = "neo-hookean"
    name: str = "custom"

    def __post_init__(self) -> None:
        for field, (low, high, meaning) in _LIMITS.items():
            value = _as_tensor(getattr(self, field), field)
            if value.ndim > 1 or value.numel() == 0:
                raise MaterialError(
                    f"Material {field} must be one number or one per sample, got shape {tuple(value.shape)}."
                )
            bad = ~torch.isfinite(value) | (value < low) | (value > high)
            if bad.any():
                worst = value[bad].flatten()[0].item()
                raise MaterialError(f"Material {field} = {worst:g} is not possible: {meaning}.")
            if isinstance(getattr(self, field), np.ndarray | torch.Tensor):
                object.__setattr__(self, field, value.clone() if value.ndim else value.item())
        if self.law not in ("neo-hookean", "linear"):
            raise MaterialError(f"Unknown material law {self.law!r}: use 'neo-hookean' or 'linear'.")

    @property
    def heterogeneous(self) -> bool:
        """Whether any value differs from sample to sample."""
        return any(isinstance(v, torch.Tensor) for v in (self.young, self.poisson, self.density))

    def lame(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Lamé parameters `(mu, lambda)` [Pa] at `count` samples, each float64 of shape (count,).

        Raises:
            MaterialError: per-sample values are there, but not `count` of them.
        """
        young, poisson = self.per_sample("young", count), self.per_sample("poisson", count)
        mu = young / (2 * (1 + poisson))
        lam = young * poisson / ((1 + poisson) * (1 - 2 * poisson))
        return mu, lam

    def per_sample(self, field: str, count: int) -> torch.Tensor:
        """The value named `"young"`, `"poisson"` or `"density"` at `count` samples, float64, shape (count,).

        Raises:
            MaterialError: per-sample values are there, but not `count` of them.
        """
        value = _as_tensor(getattr(self, field), field)
        if value.ndim == 0:
            return value.expand(count).clone()
        if len(value) != count:
            raise MaterialError(
                f"Material {field} has {len(value)} values, but the shape has {count} samples: "
                "give one number, or one per sample."
            )
        return value

    def with_values(self, **values: Scalar) -> Material:
        """A copy with some of `young`, `poisson`, `density`, `law` replaced."""
        return replace(self, name=values.pop("name", "custom"), **values)

    @staticmethod
    def preset(name: str) -> Material:
        """A named material.

        Raises:
            MaterialError: there is no such preset; the message lists them.
        """
        key = name.strip().lower().replace("_", " ")
        if key not in PRESETS:
            raise MaterialError(f"Unknown material {name!r}. There are: {', '.join(sorted(PRESETS))}.")
        return PRESETS[key]


def _as_tensor(value: Scalar, field: str) -> torch.Tensor:
    try:
        return torch.as_tensor(value, dtype=torch.float64, device="cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        raise MaterialError(f"Material {field} must be a number or an array of numbers.") from error


def _preset(name: str, young: float, poisson: float, density: float) -> tuple[str, Material]:
    return name, Material(young, poisson, density, name=name)


# Rounded, typical values. Sources: [A] Ashby, "Materials Selection in Mechanical Design", property charts;
# [W] Wells & Liang, "Medical ultrasound: imaging of soft tissue strain and elasticity", 2011 (tissues);
# [M] makers' data sheets for platinum-cure silicones (100 % modulus of the 00-30 and A-30 grades);
# [G] gelatin gels scale about as concentration squared: 10 kPa near 5 %, some 100 kPa for confectionery.
PRESETS: dict[str, Material] = dict(
    [
        _preset("jelly", 1.0e4, 0.45, 1000.0),  # [G]
        _preset("gummy", 1.0e5, 0.45, 1300.0),  # [G]
        _preset("soft tissue", 2.0e4, 0.47, 1060.0),  # [W]
        _preset("soft rubber", 7.0e4, 0.47, 1070.0),  # [M] 00-30
        _preset("silicone", 6.0e5, 0.47, 1080.0),  # [M] A-30
        _preset("hard rubber", 3.0e6, 0.48, 1100.0),  # [A] natural rubber, filled
        _preset("foam", 5.0e4, 0.30, 60.0),  # [A] flexible polymer foam
        _preset("cork", 2.0e7, 0.05, 160.0),  # [A]
    ]
)
