"""Fit how the quality terms of an input tell the chance of being right about it."""

from collections.abc import Sequence

import numpy as np

from emotion_core.reliability import CLIP
from emotion_core.reliability import Reliability

RIDGE = 1.0  # penalty on each coefficient; terms overlap (brightness and exposure), and some hardly vary
ITERATIONS = 30  # of Newton's method; it converges in about six


def fit_reliability(terms: Sequence[dict[str, float]], right: np.ndarray,
                    weights: np.ndarray | None = None) -> Reliability:
    """
    Fit a logistic regression from standardised quality terms to being right; terms that never vary are left out.

    :param terms: The quality terms of each input, all with the same names.
    :param right: (n,) whether the most probable emotion was right.
    :param weights: (n,) how much each input counts; all the same when None.
    """
    weights = np.ones(len(right)) if weights is None else weights / weights.mean()
    names = [name for name in terms[0] if np.std([term[name] for term in terms]) > 1e-9]
    values = np.array([[term[name] for name in names] for term in terms], np.float64)
    mean = np.average(values, axis=0, weights=weights)
    scale = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    design = np.column_stack([np.ones(len(values)), np.clip((values - mean) / scale, -CLIP, CLIP)])
    penalty = np.diag([0.0] + [RIDGE] * len(names))
    coefficients = np.zeros(design.shape[1])
    for _ in range(ITERATIONS):
        chance = 1 / (1 + np.exp(-design @ coefficients))
        gradient = design.T @ (weights * (right - chance)) - penalty @ coefficients
        curvature = (design * (weights * chance * (1 - chance))[:, None]).T @ design + penalty
        coefficients += np.linalg.solve(curvature + 1e-9 * np.eye(len(curvature)), gradient)
    return Reliability(float(coefficients[0]), {
        name: {'mean': float(mean[i]), 'scale': float(scale[i]), 'coefficient': float(coefficients[i + 1])}
        for i, name in enumerate(names)})


def auroc(score: np.ndarray, right: np.ndarray) -> float:
    """Give the chance that a right one scores above a wrong one (area under the ROC curve); ties count half."""
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    hits = int(right.sum())
    return float((rank[right].sum() - hits * (hits + 1) / 2) / (hits * (len(right) - hits)))


def cross_fit(terms: Sequence[dict[str, float]], right: np.ndarray, groups: np.ndarray,
              weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """
    Predict each group by a fit on all the others.

    :param groups: (n,) what must not be on both sides: the speaker, or the half an image belongs to.
    :return: (n,) expected chance of being right, and (n,) the share of right ones among those fitted on.
    """
    chance, base = np.empty(len(right)), np.empty(len(right))
    weights = np.ones(len(right)) if weights is None else weights
    for group in np.unique(groups):
        inside = groups == group
        fit = fit_reliability([term for term, out in zip(terms, ~inside) if out], right[~inside], weights[~inside])
        chance[inside] = [fit(term) for term, own in zip(terms, inside) if own]
        base[inside] = np.average(right[~inside], weights=weights[~inside])
    return chance, base
