"""Fit how the quality terms of an input tell the chance of being right about it."""

from collections.abc import Sequence

import numpy as np

from emotion_core.reliability import CLIP, Reliability

# Penalties on each coefficient that are tried: terms overlap (brightness and exposure), and some tell of few people.
RIDGES = (1.0, 10.0, 100.0, 1000.0)
ITERATIONS = 30  # of Newton's method; it converges in about six


def standardise(
    terms: Sequence[dict[str, float]], weights: np.ndarray
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """
    Bring the quality terms of n inputs to one scale.

    :param weights: (n,) how much each input counts.
    :return: Names of the k terms that vary, their means (k,), their standard deviations (k,), and the values (n, k)
        in standard deviations from the mean, clipped as where they are used.
    """
    names = [name for name in terms[0] if np.std([term[name] for term in terms]) > 1e-9]
    values = np.array([[term[name] for name in names] for term in terms], np.float64)
    mean = np.average(values, axis=0, weights=weights)
    scale = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    return names, mean, scale, np.clip((values - mean) / scale, -CLIP, CLIP)


def fit_reliability(
    terms: Sequence[dict[str, float]],
    right: np.ndarray,
    groups: np.ndarray,
    weights: np.ndarray,
    ridge: float = RIDGES[0],
) -> Reliability:
    """
    Fit a logistic regression from standardised quality terms to being right; terms that never vary are left out.

    Each group has an intercept of its own, and the mean of them is kept: that one corpus is quieter and also easier
    must not make quiet a good sign.

    :param terms: The quality terms of each input, all with the same names.
    :param right: (n,) whether the most probable emotion was right.
    :param groups: (n,) who or what the input comes from.
    :param weights: (n,) how much each input counts.
    :param ridge: Penalty on each coefficient.
    """
    weights = weights / weights.mean()
    names, mean, scale, values = standardise(terms, weights)
    members = (groups[:, None] == np.unique(groups)).astype(np.float64)
    count = members.shape[1]
    design = np.column_stack([members, values])
    penalty = np.diag([1e-6] * count + [ridge] * len(names))
    fitted = np.zeros(design.shape[1])
    for _ in range(ITERATIONS):
        chance = 1 / (1 + np.exp(-design @ fitted))
        gradient = design.T @ (weights * (right - chance)) - penalty @ fitted
        fitted += np.linalg.solve((design * (weights * chance * (1 - chance))[:, None]).T @ design + penalty, gradient)
    return Reliability(
        float(np.average(members @ fitted[:count], weights=weights)),
        {
            name: {'mean': float(mean[i]), 'scale': float(scale[i]), 'coefficient': float(fitted[count + i])}
            for i, name in enumerate(names)
        },
    )


def cross_fit(
    terms: Sequence[dict[str, float]],
    right: np.ndarray,
    groups: np.ndarray,
    weights: np.ndarray,
    ridge: float = RIDGES[0],
) -> tuple[np.ndarray, np.ndarray]:
    """
    Predict each group by a fit on all the others; parameters as in ``fit_reliability``.

    :param groups: (n,) what must not be on both sides: the speaker, or the part of the images.
    :return: (n,) expected chance of being right, and (n,) the share of right ones among those fitted on.
    """
    chance, base = np.empty(len(right)), np.empty(len(right))
    for group in np.unique(groups):
        inside = groups == group
        outside = np.flatnonzero(~inside)
        fit = fit_reliability([terms[i] for i in outside], right[outside], groups[outside], weights[outside], ridge)
        chance[inside] = [fit(terms[i]) for i in np.flatnonzero(inside)]
        base[inside] = np.average(right[outside], weights=weights[outside])
    return chance, base


def brier(chance: np.ndarray, right: np.ndarray, weights: np.ndarray) -> float:
    """Give the mean square of what a chance (n,) of being right was off (Brier 1950)."""
    return float(np.average((chance - right) ** 2, weights=weights))
