"""Linear algebra for initialising students: principal axes, low-rank factors, least squares; numpy, f64 inside."""

from __future__ import annotations

import numpy as np

# Of a ridge, in units of the mean squared input.
_STRENGTHS = tuple(10.0**power for power in range(-3, 3))


def principal_axes(moment: np.ndarray, width: int) -> np.ndarray:
    """The ``width`` leading eigenvectors of a symmetric matrix ``[n, n]``, as columns ``[n, width]`` f32.

    Each column's sign is fixed (its largest entry is positive), so that the result does not depend on the LAPACK build
    more than rounding does. At full width the identity is given: any rotation keeps all of the space, but a layer norm
    is only the same function in the original axes.
    """
    if width >= len(moment):
        return np.eye(len(moment), width, dtype=np.float32)
    _, vectors = np.linalg.eigh(moment.astype(np.float64))
    leading = vectors[:, ::-1][:, :width]
    signs = np.sign(leading[np.abs(leading).argmax(axis=0), np.arange(width)])
    return np.asarray(leading * np.where(signs == 0, 1.0, signs), dtype=np.float32)


def principal_basis(rows: np.ndarray, width: int) -> np.ndarray:
    """Principal axes of rows ``[n, hidden]``: the map ``[hidden, width]`` that keeps most of their squared length.

    The second moment is taken, not the covariance: the mean direction of hidden states is large and must be kept.
    """
    rows = rows.astype(np.float64)
    return principal_axes(rows.T @ rows / max(1, len(rows)), width)


def turned(basis: np.ndarray, rows: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """A basis ``[hidden, width]``, rotated such that ``rows @ basis`` comes nearest to ``targets [n, width]``.

    The orthogonal Procrustes problem (Schoenemann, 1966).
    """
    u, _, vt = np.linalg.svd((rows.astype(np.float64) @ basis).T @ targets.astype(np.float64))
    return np.asarray(basis @ (u @ vt), dtype=np.float32)


def roots(moment: np.ndarray, floor: float = 1e-6) -> tuple[np.ndarray, np.ndarray]:
    """Square root and inverse square root of a symmetric positive matrix, eigenvalues kept above floor * largest."""
    values, vectors = np.linalg.eigh(moment.astype(np.float64))
    values = np.maximum(values, max(values.max(initial=0.0) * floor, 1e-12))
    return (vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T


def shrink_bilinear(left: np.ndarray, right: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Maps that shorten queries and keys while keeping their products best.

    Args:
        left: second moment of the queries ``[d, d]``.
        right: second moment of the keys ``[d, d]``.
        rank: wanted length.

    Returns:
        ``a, b`` of shape ``[rank, d]`` such that ``(a q) . (b k)`` approximates ``q . k`` with the least squared
        error over all pairs (Eckart and Young, 1936).
    """
    left_root, left_inverse = roots(left)
    right_root, right_inverse = roots(right)
    u, s, vt = np.linalg.svd(left_root @ right_root)
    scale = np.sqrt(s[:rank])[:, None]
    return scale * (u[:, :rank].T @ left_inverse), scale * (vt[:rank] @ right_inverse)


def shrink_product(moment: np.ndarray, out: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Factor ``v -> out @ v`` through ``rank`` numbers with the least squared error for values of this second moment.

    Args:
        moment: second moment of the values ``[d, d]``.
        out: the map ``[hidden, d]``.
        rank: wanted length.

    Returns:
        ``a`` of shape ``[rank, d]`` and ``b`` of shape ``[hidden, rank]`` with ``b @ a @ v`` close to ``out @ v``.
    """
    root, inverse = roots(moment)
    u, s, vt = np.linalg.svd(out @ root, full_matrices=False)
    scale = np.sqrt(s[:rank])
    return scale[:, None] * (vt[:rank] @ inverse), u[:, :rank] * scale


def ridge(inputs: np.ndarray, targets: np.ndarray, strength: float = 1e-4) -> tuple[np.ndarray, np.ndarray]:
    """Least squares with a bias: ``weight [out, in]`` and ``bias [out]`` for rows ``[n, in] -> [n, out]``.

    ``strength`` times the mean squared input is added to the diagonal, which decides directions the rows do not show.
    """
    inputs, targets = inputs.astype(np.float64), targets.astype(np.float64)
    mean_in, mean_out = inputs.mean(axis=0), targets.mean(axis=0)
    centred = inputs - mean_in
    gram = centred.T @ centred / len(inputs)
    gram += np.eye(len(gram)) * (strength * np.trace(gram) / max(1, len(gram)) + 1e-12)
    weight = np.linalg.solve(gram, centred.T @ (targets - mean_out) / len(inputs)).T
    return weight, mean_out - weight @ mean_in


def steady_ridge(inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`ridge` as strong as it may be: its error on rows that were left out is within a standard error of the best.

    Where inputs hardly vary in most directions, a weak ridge takes what it sees there for signal: it gets weights of
    hundreds that fit these rows, and that any noise (dropout, the first steps of training) turns into other answers.
    The strongest within a standard error: Breiman and others, Classification and Regression Trees, 1984.
    """
    centred = inputs.astype(np.float64) - inputs.mean(axis=0, dtype=np.float64)
    wanted = targets.astype(np.float64) - targets.mean(axis=0, dtype=np.float64)
    count = len(centred)
    sizes, axes = np.linalg.eigh(centred.T @ centred / count)
    along = centred @ axes
    shared, squares = along.T @ wanted / count, along**2 / count

    def left_out(strength: float) -> np.ndarray:
        """What each row's own fit would miss of it: its residual over one minus its leverage; ``[n]``, squared."""
        inverse = 1.0 / (np.maximum(sizes, 0.0) + strength * float(sizes.mean()) + 1e-12)
        residual = wanted - along @ (inverse[:, None] * shared)
        left = np.maximum(1.0 - 1.0 / count - squares @ inverse, 1e-9)
        return np.asarray((residual**2).sum(axis=1) / left**2)

    errors = [left_out(strength) for strength in _STRENGTHS]
    best = min(errors, key=lambda error: float(error.mean()))
    limit = float(best.mean() + best.std() / np.sqrt(count))
    return ridge(inputs, targets, max(s for s, e in zip(_STRENGTHS, errors, strict=True) if float(e.mean()) <= limit))


def gain_and_bias(normed: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per column least squares ``targets ~ gain * normed + bias``, both ``[n, width]``; gain and bias ``[width]``."""
    normed, targets = normed.astype(np.float64), targets.astype(np.float64)
    mean_in, mean_out = normed.mean(axis=0), targets.mean(axis=0)
    centred = normed - mean_in
    variance = (centred**2).mean(axis=0)
    gain = (centred * (targets - mean_out)).mean(axis=0) / np.maximum(variance, 1e-12)
    gain = np.where(variance > 1e-10, gain, 1.0)
    return gain, mean_out - gain * mean_in
