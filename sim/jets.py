"""Values and derivatives carried through a network together, with a derivative of their own written by hand.

A jet is a tensor (S, n, K): row 0 holds the values of K functions at n points, rows 1 to 3 their derivatives along
an orthonormal frame, which is x, y, z or each point's own. A jet of ten rows has the second derivatives by
SECOND_DERIVATIVES, too. One of five rows has that along two directions u, v of the frame, 54.7 degrees apart: over all
frames the mean of its square is the squared Hessian `|grad grad f|^2`, so that points with frames drawn at random
measure that without five more rows.

One matrix product a layer takes all rows through (forward mode); autograd's own graph of the same would be slower.
"""

from __future__ import annotations

import torch
from scipy.spatial.transform import Rotation

Tensor = torch.Tensor

ACTIVATIONS = {"tanh": torch.tanh, "elu": torch.nn.functional.elu}
"""The functions by name."""

SECOND_DERIVATIVES = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
"""By which axes, in the order in which they are given. The last three count twice in the squared Hessian."""

# u = sqrt(3) e1 and v = e1 + sqrt(2) e2: with a random orthonormal frame E (u . H v)^2 = |H|^2. (E (e1 . H e1)^2 =
# (2 |H|^2 + (tr H)^2) / 15 and E (e1 . H e2)^2 = (3 |H|^2 - (tr H)^2) / 30; the product of both has mean 0.)
_ONE, _TWO = 3**0.5, 6**0.5  # u v^T = _ONE e1 e1^T + _TWO e1 e2^T


def random_frames(count: int, generator: torch.Generator) -> Tensor:
    """Orthonormal frames, evenly distributed, (count, 3, 3) float64; rows are e1, e2, e3."""
    quaternions = torch.randn(count, 4, generator=generator, dtype=torch.float64)
    return torch.from_numpy(Rotation.from_quat(quaternions.numpy()).as_matrix())


def jet_along(values: Tensor, gradients: Tensor, hessians: Tensor, frames: Tensor) -> Tensor:
    """The five-row jet of functions along frames.

    Args:
        values: (n, K). gradients: by x, y, z, (3, n, K). hessians: by xx, yy, zz, xy, xz, yz, (6, n, K).
        frames: (n, 3, 3).
    """
    e1, e2, e3 = (frame[..., None] for frame in frames.permute(1, 2, 0))
    v = _ONE * e1 + _TWO * e2
    bend = sum(
        h * (e1[a] * v[b] if a == b else e1[a] * v[b] + e1[b] * v[a])
        for h, (a, b) in zip(hessians, SECOND_DERIVATIVES, strict=True)
    )
    along = [(gradients * e).sum(0) for e in (e1, e2, e3)]
    return torch.stack([values, *along, bend])


def position_jet(points: Tensor, gain: float, frames: Tensor | None = None, *, order: int = 1) -> Tensor:
    """The jet of `gain` times the position: (5, n, 3) along frames (n, 3, 3), else by x, y, z, (4 or 10, n, 3)."""
    seconds = (0 if order == 1 else len(SECOND_DERIVATIVES)) if frames is None else 1
    if frames is None:
        frames = torch.eye(3, dtype=points.dtype, device=points.device).expand(len(points), 3, 3)
    slopes = gain * frames.permute(1, 0, 2).to(points)
    return torch.cat([gain * points[None], slopes, points.new_zeros(seconds, len(points), 3)])


def linear_jet(jet: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Through a linear layer without an activation: (S, n, a) to (S, n, K)."""
    out = jet @ weight.T
    return torch.cat([out[:1] + bias, out[1:]])


def layer_jet(jet: Tensor, weight: Tensor, bias: Tensor, activation: str) -> Tensor:
    """Through a layer, `activation(weight x + bias)`.

    Args:
        jet: (S, n, a). weight: (K, a). bias: (K,). activation: "tanh" or "elu".

    Returns:
        (S, n, K), differentiable once.
    """
    return _Layer.apply(jet, weight, bias, activation)


class _Layer(torch.autograd.Function):
    """With `y = weight x + bias`, `t = a(y)`, d1, d2, d3 and d4 the other rows of t's jet and r those of y's, and with
    `a'' = k a'` (k is -2 t for tanh; 1 under 0 and 0 above for ELU):

    `d_i = a' r_i`, `d4 = a' r4 + (k / a') d1 (c1 d1 + c2 d2)`, whence, for gradients g of t's rows,
    those of y's are `a' g_i`, plus `k g4 (2 c1 d1 + c2 d2)` for the first and `k g4 c2 d1` for the second, and
    `a' g0 + k (g1 d1 + g2 d2 + g3 d3 + g4 d4) + k' g4 d1 (c1 d1 + c2 d2)` for y, with k' = -2 for tanh, 0 for ELU.

    With ten rows, for each second derivative by a and b, `d_a d_b` takes the place of `d1 (c1 d1 + c2 d2)`.

    So all is known from what comes out, and y is overwritten by it: memory is what these steps wait for.
    """

    @staticmethod
    def forward(ctx, jet: Tensor, weight: Tensor, bias: Tensor, activation: str) -> Tensor:
        rows, points, width = jet.shape
        out = (jet.reshape(-1, width) @ weight.T).view(rows, points, -1)
        value = out[0].add_(bias)
        if activation == "tanh":
            value.tanh_()
        else:
            torch.nn.functional.elu(value, inplace=True)
        if rows == 5:
            product = torch.mul(out[2], _TWO).add_(out[1], alpha=_ONE).mul_(out[1])
            out[4].addcmul_(_bend(value, activation), product)
        elif rows == 10:
            bend = _bend(value, activation)
            for row, (a, b) in enumerate(SECOND_DERIVATIVES, start=4):
                out[row].addcmul_(bend, out[1 + a] * out[1 + b])
        out[1:].mul_(_slope(value, activation))
        ctx.save_for_backward(jet, weight, out)
        ctx.activation = activation
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream: Tensor) -> tuple[Tensor | None, ...]:
        jet, weight, out = ctx.saved_tensors
        rows, points, width = jet.shape
        bend = _bend(out[0], ctx.activation)
        g = upstream * _slope(out[0], ctx.activation)
        moved = upstream[1] * out[1]
        for row in range(2, rows):
            moved.addcmul_(upstream[row], out[row])
        g[0].addcmul_(bend, moved)
        if rows == 5:
            both = torch.mul(out[2], _TWO).add_(out[1], alpha=_ONE)
            if ctx.activation == "tanh":
                g[0].addcmul_(torch.mul(out[1], both, out=moved), upstream[4], value=-2)
            pull = bend.mul_(upstream[4])
            g[1].addcmul_(pull, both.add_(out[1], alpha=_ONE))
            g[2].addcmul_(pull, out[1], value=_TWO)
        elif rows == 10:
            for up, (a, b) in zip(upstream[4:], SECOND_DERIVATIVES, strict=True):
                if ctx.activation == "tanh":
                    g[0].addcmul_(out[1 + a] * out[1 + b], up, value=-2)
                pull = bend * up
                g[1 + a].addcmul_(pull, out[1 + b])
                g[1 + b].addcmul_(pull, out[1 + a])
        flat = g.view(rows * points, -1)
        by_jet = (flat @ weight).view_as(jet) if ctx.needs_input_grad[0] else None
        return by_jet, flat.T @ jet.reshape(-1, width), g[0].sum(0), None


def _slope(after: Tensor, activation: str) -> Tensor:
    """First derivative of the activation, from what came out of it."""
    if activation == "tanh":
        return torch.addcmul(after.new_ones(()), after, after, value=-1)
    return after.clamp_max(0) + 1


def _bend(after: Tensor, activation: str) -> Tensor:
    """Second derivative of the activation over the first."""
    return -2 * after if activation == "tanh" else (after < 0).to(after.dtype)
