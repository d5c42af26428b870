"""Making handles of raw weights: mass-orthonormal, ordered by elastic energy, and a localised copy to hold.

Everything here is about one linear space of weight functions; no function leaves that space.
"""

from __future__ import annotations

import torch

Tensor = torch.Tensor


def elastic_gram(
    values: Tensor, gradients: Tensor, points: Tensor, stiffness: Tensor, *, centre: Tensor, scale: float
) -> Tensor:
    """Expected linear elastic energy of random affine handle motions, as a quadratic form in the weights.

    With `T ~ N(0, 1)` entries, `E = sum_i s_i (3 w^2 + 2 w X . grad w + (|X|^2 + 1) |grad w|^2)` where X is
    measured from `centre` in units of `scale` (Modi et al. 2024, eq. 9, its expectation in closed form).

    Args:
        values: weights, shape (n, K). gradients: [1/m], shape (n, K, 3). points: rest positions [m], (n, 3).
        stiffness: `volume * (lambda / 2 + 2 mu)` a point [J], shape (n,).
        centre: origin of the normalised coordinates [m], shape (3,). scale: their unit [m].

    Returns:
        Symmetric Gram matrix, shape (K, K).
    """
    X = (points - centre) / scale
    G = gradients * scale
    radial = (G * X[:, None, :]).sum(-1)
    s = stiffness[:, None]
    cross = values.T @ (s * radial)
    gram = 3 * (values.T @ (s * values)) + cross + cross.T
    for axis in range(3):
        gram = gram + G[..., axis].T @ (s * (X.square().sum(-1, keepdim=True) + 1) * G[..., axis])
    return (gram + gram.T) / 2


def orthonormal_mix(values: Tensor, mass: Tensor, energy: Tensor, *, tolerance: float = 1e-10) -> Tensor:
    """Coefficients that turn raw columns into mass-orthonormal ones, ordered by energy, constant first.

    Column 0 of `values` must be the constant 1. Directions whose mass is under `tolerance` of the largest
    are dropped: they are numerical noise, not handles.

    Args:
        values: float64, shape (n, K). mass: shares of the total mass, summing to 1, shape (n,).
        energy: Gram matrix of the energy over the same columns, shape (K, K).

    Returns:
        `C`, shape (K, H), H <= K, with `C[:, 0] = e_0`, `(values C)^T diag(mass) (values C) = I` and
        `C^T energy C` diagonal and ascending on the columns after the first.
    """
    count = values.shape[1]
    constant = torch.zeros(count, 1, dtype=values.dtype, device=values.device)
    constant[0] = 1
    mean = mass @ values[:, 1:]
    centred = values[:, 1:] - mean
    root = mass.sqrt()[:, None] * centred
    scale = root.norm(dim=0).clamp_min(torch.finfo(values.dtype).tiny)
    # QR before the SVD of R: the accuracy of orthogonality is the machine's, not its square root's.
    _, R = torch.linalg.qr(root / scale)
    _, sigma, Vt = torch.linalg.svd(R)
    keep = sigma > tolerance**0.5 * sigma.max() if len(sigma) else sigma.bool()
    whiten = (Vt[: len(sigma)][keep] / sigma[keep, None]).T / scale[:, None]
    C = torch.cat([-(mean @ whiten)[None], whiten])
    _, order = torch.linalg.eigh(_symmetric(C.T @ energy @ C))
    C = C @ order
    peak = (values @ C).abs().argmax(0) if C.shape[1] else torch.zeros(0, dtype=torch.long)
    # An eigenvector's sign is arbitrary; fix it so that the same space always gives the same handles.
    signs = torch.sign((values @ C).gather(0, peak[None]))[0] if C.shape[1] else C.new_zeros(0)
    return torch.cat([constant, C * signs], dim=1)


def _symmetric(matrix: Tensor) -> Tensor:
    return (matrix + matrix.T) / 2


def varimax(weights: Tensor, mass: Tensor, *, iterations: int = 200, tolerance: float = 1e-10) -> Tensor:
    """An orthogonal rotation that makes each column large somewhere and small elsewhere.

    Kaiser 1958, by the usual SVD iteration, on mass-weighted rows; columns come out positive at their peak.

    Args:
        weights: mass-orthonormal columns, shape (n, H). mass: shares of the total, shape (n,).

    Returns:
        Orthogonal `R`, shape (H, H): the localised weights are `weights @ R`.
    """
    rows = mass.sqrt()[:, None] * weights
    # Scale-free rows would favour the body's rim; varimax on the mass-weighted rows follows the volume.
    R = torch.eye(weights.shape[1], dtype=weights.dtype, device=weights.device)
    previous = 0.0
    for _ in range(iterations):
        L = rows @ R
        target = L**3 - L * L.square().mean(0)
        U, S, Vt = torch.linalg.svd(rows.T @ target)
        R = U @ Vt
        total = float(S.sum())
        if total <= previous * (1 + tolerance):
            break
        previous = total
    localized = weights @ R
    return R * torch.sign(localized.gather(0, localized.abs().argmax(0)[None]))


def effective_rank(weights: Tensor, mass: Tensor) -> float:
    """How many independent handles these weights really are: `exp` of the entropy of their Gram spectrum.

    Roy and Vetterli 2007. Columns have their mass mean removed; H orthonormal columns give exactly H.
    """
    centred = mass.sqrt()[:, None] * (weights - mass @ weights)
    spectrum = torch.linalg.svdvals(centred.double()).square()
    share = spectrum / spectrum.sum().clamp_min(torch.finfo(torch.float64).tiny)
    return float(torch.exp(-(share * share.clamp_min(1e-300).log()).sum()))


def orthonormality_defect(weights: Tensor, mass: Tensor) -> float:
    """Largest entry of `|W^T diag(mass) W - I|` for weights of shape (n, H); 0 is exact."""
    gram = weights.T @ (mass[:, None] * weights)
    return float((gram - torch.eye(len(gram), dtype=gram.dtype, device=gram.device)).abs().max())
