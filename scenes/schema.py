"""What a scene file may say: one Struct for each mapping of it, every field with its unit.

Coordinates: y is up. `regions` speak of the body's own coordinates (the mesh in metres, after `size` or
`scale`, before `transform`). `pins`, `events` and the camera speak of the world, where the body stands at
time 0.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Vector = tuple[float, float, float]
Positive = Annotated[float, Meta(gt=0.0)]
NotNegative = Annotated[float, Meta(ge=0.0)]
Unit = Annotated[float, Meta(ge=0.0, le=1.0)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Pixels = Annotated[int, Meta(ge=16, le=8192)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class Part(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A mapping of a scene file. Unknown keys are errors; keys at their default are not written."""


class Box(Part, kw_only=True):
    """The points inside an axis-aligned box, its sides included."""

    min: Vector
    """Lower corner [m]."""
    max: Vector
    """Upper corner [m]."""

    def __post_init__(self) -> None:
        if any(low > high for low, high in zip(self.min, self.max, strict=True)):
            raise ValueError(
                f"a box needs min <= max in x, y and z, got {list(self.min)} and {list(self.max)}"
            )


class Sphere(Part, kw_only=True):
    """The points inside a ball."""

    center: Vector
    """[m]."""
    radius: Positive
    """[m]."""


class Plane(Part, kw_only=True):
    """The points on that side of a plane to which its normal shows."""

    point: Vector
    """Any point of the plane [m]."""
    normal: Vector
    """Direction, any length but zero."""

    def __post_init__(self) -> None:
        if not any(abs(component) > 1e-12 for component in self.normal):
            raise ValueError("a plane's normal must not be zero; [0, 1, 0] is up")


class HalfSpace(Part, kw_only=True):
    """The points above or below a value along an axis."""

    axis: Literal["x", "y", "z"]
    above: float | None = None
    """Keeps coordinates >= this [m]."""
    below: float | None = None
    """Keeps coordinates <= this [m]."""

    def __post_init__(self) -> None:
        if self.above is None and self.below is None:
            raise ValueError("a half_space needs above or below (or both, for a slab), in metres")


class Where(Part, kw_only=True):
    """A region of space: exactly one of these."""

    box: Box | None = None
    sphere: Sphere | None = None
    plane: Plane | None = None
    half_space: HalfSpace | None = None
    any: Annotated[tuple[Where, ...], Meta(min_length=1)] | None = None
    """The union of regions."""

    def __post_init__(self) -> None:
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        if len(given) != 1:
            kinds = ", ".join(self.__struct_fields__)
            raise ValueError(f"a region is exactly one of {kinds}, got {' and '.join(given) or 'none'}")


class MaterialValues(Part, kw_only=True):
    """An elastic material by its numbers."""

    young: float
    """Young's modulus [Pa]."""
    poisson: float
    """Poisson's ratio [-], below 0.5."""
    density: float
    """Mass density [kg/m3]."""
    law: Literal["neo-hookean", "linear"] = "neo-hookean"
    """Neo-Hookean bears large rotations and stretches; linear is for small ones and for comparisons."""


MaterialChoice = str | MaterialValues
"""A preset's name, or numbers."""


class Region(Part, kw_only=True):
    """Part of a body that is made of something else, or held, or both."""

    where: Where
    """In the body's own coordinates [m]."""
    material: MaterialChoice | None = None
    """What this part is made of; later regions win."""
    pinned: bool = False
    """Whether this part is held where it starts."""

    def __post_init__(self) -> None:
        if self.material is None and not self.pinned:
            raise ValueError("a region needs a material, or pinned: true")


class Training(Part, kw_only=True):
    """How handles are learned; what is left out is the trainer's own default."""

    optimizer: Name = "ns"
    """Its name: ns, adam, muon or curvature."""
    steps: Annotated[int, Meta(ge=0, le=10_000_000)] | None = None
    """Iterations."""
    learning_rate: Positive | None = None
    """In the optimizer's own unit."""
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    """Same seed, same handles."""


class Transform(Part, kw_only=True):
    """Where a body starts: turned about its own origin, then shifted."""

    translate: Vector = (0.0, 0.0, 0.0)
    """[m]."""
    rotate: Vector = (0.0, 0.0, 0.0)
    """Degrees about the world's x, then y, then z axis."""


class PinRegion(Part, kw_only=True):
    """Holds a region of a body where it starts."""

    where: Where
    """In world coordinates at time 0 [m]."""
    stiffness: Positive | Literal["hard"] = "hard"
    """Of the whole region [N/m], or hard."""


class DampingValues(Part, kw_only=True):
    """Rayleigh damping beside the numerical damping of the time step."""

    mass: NotNegative = 0.0
    """Slows all motion [1/s]."""
    stiffness: NotNegative = 0.0
    """Slows changes of shape [s]."""


class BodyPart(Part, kw_only=True):
    """A soft body."""

    name: Name
    """Unique in the scene; events call it so."""
    mesh: Name
    """Mesh file; a relative path starts at the scene file's folder."""
    size: Positive | None = None
    """Longest side of the mesh's bounding box [m]; not together with `scale`."""
    scale: Positive | None = None
    """Metres per unit of the mesh file; 1 when neither is given."""
    material: MaterialChoice = "soft rubber"
    """A preset's name, or young [Pa], poisson and density [kg/m3]."""
    regions: tuple[Region, ...] = ()
    """Parts of other material, or held; later ones win."""
    handles: Annotated[int, Meta(ge=1, le=512)] = 32
    """Number of handles, the constant one included."""
    train: Training = Training()
    """How the handles are learned when there are no weights yet."""
    weights: Name | None = None
    """Handle weights, .safetensors: trained before, or written after training."""
    samples: Annotated[int, Meta(ge=16, le=1_000_000)] = 8192
    """Interior sample points."""
    cubature: Literal["optimized", "clusters", "uniform"] | Count = "optimized"
    """How elastic energy is summed: optimized is best; a number is that many points."""
    transform: Transform = Transform()
    """Where it starts."""
    velocity: Vector = (0.0, 0.0, 0.0)
    """Of its centre of mass at time 0 [m/s]."""
    angular_velocity: Vector = (0.0, 0.0, 0.0)
    """About its centre of mass at time 0 [rad/s]."""
    kinematic: bool = False
    """True: it moves rigidly with these velocities whatever it meets."""
    damping: DampingValues = DampingValues()
    """None by default."""
    pins: tuple[PinRegion, ...] = ()
    """What holds it."""
    color: tuple[Unit, Unit, Unit] | None = None
    """Red, green, blue in 0..1 for pictures; the window's own choice when left out."""

    def __post_init__(self) -> None:
        if self.size is not None and self.scale is not None:
            raise ValueError("give size (longest side in metres) or scale (metres per unit), not both")


class FloorPart(Part, kw_only=True):
    """A horizontal floor."""

    height: float = 0.0
    """[m]."""
    friction: NotNegative = 0.5
    """Coulomb coefficient [-]."""


class GrabPart(Part, kw_only=True):
    """Where a hand takes hold."""

    body: Name
    """The body's name."""
    point: Vector
    """World coordinates at that moment [m]."""
    radius: Positive = 0.05
    """Of the ball of points held [m]."""
    strength: Positive = 1.0
    """1 lifts the body well; the force is capped."""


class Event(Part, kw_only=True):
    """A scripted hand: takes hold, follows a path, lets go."""

    at: NotNegative
    """When it takes hold [s]."""
    until: NotNegative
    """When it lets go [s]."""
    grab: GrabPart
    """What it holds."""
    path: Annotated[tuple[Vector, ...], Meta(min_length=1)]
    """World points [m] passed from `at` to `until`, equal time for each leg; a repeated point is a rest."""

    def __post_init__(self) -> None:
        if self.until <= self.at:
            raise ValueError(
                f"an event must end after it begins, got at {self.at:g} s until {self.until:g} s"
            )


class CameraKey(Part, kw_only=True):
    """Where the camera is at one moment of its path."""

    at: NotNegative
    """[s]."""
    position: Vector
    """[m]."""
    look_at: Vector | None = None
    """[m]; the camera's own when left out."""
    field_of_view: Annotated[float, Meta(gt=1.0, lt=150.0)] | None = None
    """[degrees]; the camera's own when left out."""


class Turntable(Part, kw_only=True):
    """The camera goes round what it looks at, level, once in so many seconds."""

    seconds: Annotated[float, Meta(gt=0.0, le=3600.0)]
    """For a full turn [s]."""
    clockwise: bool = False
    """Seen from above."""


class Camera(Part, kw_only=True):
    """Where the picture is taken from; in a film it may move along a path, or round as a turntable."""

    position: Vector
    """[m]."""
    look_at: Vector = (0.0, 0.0, 0.0)
    """[m]."""
    field_of_view: Annotated[float, Meta(gt=1.0, lt=150.0)] = 45.0
    """Vertical opening angle [degrees]."""
    path: tuple[CameraKey, ...] = ()
    """Moments in the order of time, passed smoothly; the window shows `position`."""
    turntable: Turntable | None = None
    """Not together with `path`."""

    def __post_init__(self) -> None:
        if self.position == self.look_at:
            raise ValueError("the camera must not stand on the point it looks at")
        if self.path and self.turntable is not None:
            raise ValueError("give a path or a turntable, not both")
        if any(later.at <= key.at for key, later in zip(self.path, self.path[1:], strict=False)):
            raise ValueError("the moments of a camera's path must come in the order of time, each `at` once")
        if any(key.position == (key.look_at or self.look_at) for key in self.path):
            raise ValueError("the camera must not stand on the point it looks at")


class Record(Part, kw_only=True):
    """A film of the scene."""

    seconds: Annotated[float, Meta(gt=0.0, le=3600.0)] = 4.0
    """Length [s]."""
    fps: Annotated[float, Meta(gt=0.0, le=1000.0)] = 60.0
    """Pictures a second [1/s]."""
    size: tuple[Pixels, Pixels] = (1280, 720)
    """Width and height [pixels]."""


class Scene(Part, kw_only=True):
    """A whole scene file."""

    name: Name = "untitled"
    timestep: Annotated[float, Meta(ge=1e-6, le=1.0)] = 1 / 60
    """[s]; the file may say 1/60."""
    gravity: Vector = (0.0, -9.81, 0.0)
    """[m/s2]."""
    floor: FloorPart | None = None
    """No floor when left out."""
    bodies: Annotated[tuple[BodyPart, ...], Meta(min_length=1)]
    """At least one."""
    events: tuple[Event, ...] = ()
    """Scripted hands, for recordings and tests."""
    camera: Camera | None = None
    """Frames the bodies when left out."""
    record: Record = Record()
    """What `record` films by default."""
