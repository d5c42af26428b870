"""What a soft body is and how it moves: shape, material, handles, and the world that steps them."""

# Modules that register a family of weight functions: a saved basis must load without its trainer.
import sim.network
import sim.rkpm  # noqa: F401
from sim.basis import HandleBasis
from sim.body import Body
from sim.cubature import Cubature
from sim.incremental_potential import Damping
from sim.material import Material
from sim.shape import Shape, load_shape
from sim.state import BodyState, StepReport, WorldState
from sim.world import World

__all__ = [
    "Body",
    "BodyState",
    "Cubature",
    "Damping",
    "HandleBasis",
    "Material",
    "Shape",
    "StepReport",
    "World",
    "WorldState",
    "load_shape",
]
