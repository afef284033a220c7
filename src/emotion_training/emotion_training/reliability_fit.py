"""Fit how the quality terms of an input tell the chance of being right about it."""

from collections.abc import Sequence

import numpy as np

from emotion_core.reliability import CLIP, Reliability

RIDGE = 1.0  # penalty on each coefficient; terms overlap (brightness and exposure), and some hardly vary
ITERATIONS = 30  # of Newton's method; it converges in about six


def fit_reliability(
    terms: Sequence[dict[str, float]], right: np.ndarray, groups: np.ndarray, weights: np.ndarray
) -> Reliability:
    """
    Fit a logistic regression from standardised quality terms to being right; terms that never vary are left out.

    Each group has an intercept of its own, and the mean of them is kept: that one corpus is quieter and also easier
    must not make quiet a good sign.

    :param terms: The quality terms of each input, all with the same names.
    :param right: (n,) whether the most probable emotion was right.
    :param groups: (n,) who or what the input comes from.
    :param weights: (n,) how much each input counts.
    """
    weights = weights / weights.mean()
    names = [name for name in terms[0] if np.std([term[name] for term in terms]) > 1e-9]
    values = np.array([[term[name] for name in names] for term in terms], np.float64)
    mean = np.average(values, axis=0, weights=weights)
    scale = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    members = (groups[:, None] == np.unique(groups)).astype(np.float64)
    count = members.shape[1]
    design = np.column_stack([members, np.clip((values - mean) / scale, -CLIP, CLIP)])
    penalty = np.diag([1e-6] * count + [RIDGE] * len(names))
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


def auroc(score: np.ndarray, right: np.ndarray) -> float:
    """Give the chance that a right one scores above a wrong one (area under the ROC curve); ties count half."""
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    hits = int(right.sum())
    return float((rank[right].sum() - hits * (hits + 1) / 2) / (hits * (len(right) - hits)))


def cross_fit(
    terms: Sequence[dict[str, float]], right: np.ndarray, groups: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """
    Predict each group by a fit on all the others.

    :param groups: (n,) what must not be on both sides: the speaker, or the part of the images.
    :return: (n,) expected chance of being right, and (n,) the share of right ones among those fitted on.
    """
    chance, base = np.empty(len(right)), np.empty(len(right))
    for group in np.unique(groups):
        inside = groups == group
        outside = np.flatnonzero(~inside)
        fit = fit_reliability([terms[i] for i in outside], right[outside], groups[outside], weights[outside])
        chance[inside] = [fit(terms[i]) for i in np.flatnonzero(inside)]
        base[inside] = np.average(right[outside], weights=weights[outside])
    return chance, base
