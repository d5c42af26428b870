"""USD: one file with a mesh for each body and its positions as time samples.

Metres, y up, a time code is a frame. Weights are primvars `handle_00`, `handle_01`, ... for each vertex (the first is
the constant 1). Materials carry a preview colour, UsdPhysics density, and Young's modulus and Poisson's ratio under
the names of the deformable-body proposal of NVIDIA's Omniverse physics (`omniphysics:youngsModulus`,
`omniphysics:poissonsRatio`), which USD itself does not define; where parts of a body differ, each vertex has its own in
primvars `youngsModulus`, `poissonsRatio` and `density`, and the material the mean.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.export import Exported, ExportedBody, OnFrame, file_names, handle_weights
from sim.errors import StudioError

MISSING = (
    "USD files need the package usd-core, which is not installed. "
    'Run: python -m pip install "simplicits-studio[usd]" (or: pip install usd-core)'
)
_ALL = "/Motion"


def write_usd(what: Exported, path: Path, on_frame: OnFrame) -> Path:
    """Write a USD file (.usdc and .usd binary, .usda text), beside and then renamed.

    Raises:
        StudioError: usd-core is missing, or the place cannot be written.
    """
    require_usd()
    from pxr import Gf, Tf, Usd, UsdGeom, UsdPhysics

    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        stage = _fresh_stage(Usd, partial)
        root = UsdGeom.Xform.Define(stage, _ALL)
        stage.SetDefaultPrim(root.GetPrim())
        UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
        UsdGeom.SetStageMetersPerUnit(stage, 1.0)
        UsdPhysics.SetStageKilogramsPerUnit(stage, 1.0)
        stage.SetTimeCodesPerSecond(what.fps)
        stage.SetFramesPerSecond(what.fps)
        stage.SetStartTimeCode(0)
        stage.SetEndTimeCode(what.frames - 1)
        if what.gravity is not None:
            physics = UsdPhysics.Scene.Define(stage, f"{_ALL}/physics")
            size = float(np.linalg.norm(what.gravity))
            direction = np.array(what.gravity) / size if size > 0 else np.zeros(3)
            physics.CreateGravityDirectionAttr(Gf.Vec3f(*map(float, direction)))
            physics.CreateGravityMagnitudeAttr(size)
        names = file_names(what.bodies)
        shapes = [_define_body(stage, n, b) for n, b in zip(names, what.bodies, strict=True)]
        for frame, places in enumerate(what.positions()):
            for shape, points in zip(shapes, places, strict=True):
                _set_points(shape, points, frame)
            on_frame(frame)
        stage.Save()
        del stage, root, shapes
        os.replace(partial, path)
    except (OSError, Tf.ErrorException) as error:
        reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[-1]
        raise StudioError(f"{path} cannot be written: {reason}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return path


def require_usd() -> None:
    """Refuse early where USD cannot be written.

    Raises:
        StudioError: usd-core is missing; says how to get it.
    """
    if importlib.util.find_spec("pxr") is None:
        raise StudioError(MISSING)


def linear_color(color: Sequence[float]) -> tuple[float, ...]:
    """A colour as on the screen (sRGB, 0 to 1) as USD wants it: linear light (IEC 61966-2-1)."""
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color)


def _fresh_stage(Usd, file: Path):
    file.unlink(missing_ok=True)
    return Usd.Stage.CreateNew(str(file))


def _define_body(stage, name: str, body: ExportedBody):
    """The body's prim, with all that stays the same."""
    from pxr import Gf, Sdf, UsdGeom, UsdShade, Vt

    faces = body.played.shape.faces.numpy().astype(np.int32)
    place = f"{_ALL}/{name}"
    if len(faces):
        shape = UsdGeom.Mesh.Define(stage, place)
        shape.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(faces), 3, np.int32)))
        shape.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(np.ascontiguousarray(faces.reshape(-1))))
        shape.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)  # else viewers would round the mesh off
        shape.CreateOrientationAttr(UsdGeom.Tokens.rightHanded)
    else:
        shape = UsdGeom.Points.Define(stage, place)
        count = len(body.played.shape.vertices)
        extent = np.ptp(body.played.shape.vertices.numpy(), axis=0).max() if count else 1.0
        width = np.full(count, 0.5 * extent / max(1, count) ** (1 / 3), np.float32)
        shape.CreateWidthsAttr(Vt.FloatArray.FromNumpy(width))
    shape.CreateDisplayColorPrimvar(UsdGeom.Tokens.constant).Set([Gf.Vec3f(*linear_color(body.color))])
    primvars = UsdGeom.PrimvarsAPI(shape)
    values = {f"handle_{h:02d}": weights for h, weights in enumerate(handle_weights(body).T)}
    for label, value in (
        ("youngsModulus", body.young),
        ("poissonsRatio", body.poisson),
        ("density", body.density),
    ):
        if isinstance(value, np.ndarray):
            values[label] = value.astype(np.float32)
    for label, value in values.items():
        primvar = primvars.CreatePrimvar(label, Sdf.ValueTypeNames.FloatArray, UsdGeom.Tokens.vertex)
        primvar.Set(Vt.FloatArray.FromNumpy(np.ascontiguousarray(value)))
    material = _define_material(stage, name, body)
    UsdShade.MaterialBindingAPI.Apply(shape.GetPrim()).Bind(material)
    return shape


def _define_material(stage, name: str, body: ExportedBody):
    from pxr import Gf, Sdf, UsdPhysics, UsdShade

    place = f"{_ALL}/materials/{name}"
    material = UsdShade.Material.Define(stage, place)
    shader = UsdShade.Shader.Define(stage, f"{place}/surface")
    shader.CreateIdAttr("UsdPreviewSurface")
    shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).Set(Gf.Vec3f(*linear_color(body.color)))
    shader.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(0.5)
    material.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
    if body.density is None:
        return material
    physics = UsdPhysics.MaterialAPI.Apply(material.GetPrim())
    physics.CreateDensityAttr(float(np.mean(body.density)))
    physics.CreateDynamicFrictionAttr(body.friction)
    physics.CreateStaticFrictionAttr(body.friction)
    prim = material.GetPrim()
    for label, value in (("youngsModulus", body.young), ("poissonsRatio", body.poisson)):
        attribute = prim.CreateAttribute(f"omniphysics:{label}", Sdf.ValueTypeNames.Float, custom=True)
        attribute.Set(float(np.mean(value)))
    return material


def _set_points(shape, points: np.ndarray, frame: int) -> None:
    from pxr import Gf, Vt

    places = np.ascontiguousarray(points, dtype=np.float32)
    shape.GetPointsAttr().Set(Vt.Vec3fArray.FromNumpy(places), frame)
    low, high = places.min(0), places.max(0)
    extent = [Gf.Vec3f(*map(float, low)), Gf.Vec3f(*map(float, high))]
    shape.CreateExtentAttr().Set(extent, frame)
