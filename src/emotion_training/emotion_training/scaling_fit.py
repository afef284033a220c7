"""Fit what a distribution is worth under its quality, by how probable it makes the truth; see ``Scaling``."""

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from emotion_core import metrics
from emotion_core.emotions import EMOTIONS, log_odds, softmax
from emotion_core.reliability import Scaling
from emotion_training.reliability_fit import standardise

ITERATIONS, STEP = 30, 1e-6  # of Newton's method at most, and what is too short to go on; the loss is convex
DIGITS = 5  # of what is fitted
SAME = 100.0  # penalty on the exponent that all emotions share, in [weight of one input]; it pulls towards 1
OUT = 1e9  # a penalty that leaves a part out
WAYS = {  # what is not left out: what differs by quality, by emotion
    'one exponent': (False, False),
    'by quality': (True, False),
    'by emotion': (False, True),
    'by both': (True, True),
}
PENALTIES = (10.0, 100.0, 1000.0, OUT)  # that are tried, on the quality terms and on the differences between emotions
AS_GOOD = 2e-4  # what of the log-loss [nat] tells no two penalties apart


class Worse(NamedTuple):
    """What a model says of inputs of all qualities; row i of each is about the same input."""

    probabilities: np.ndarray  # (n, 6)
    terms: Sequence[dict[str, float]]  # n quality terms, all with the same names
    labels: np.ndarray  # (n,) index into EMOTIONS
    groups: np.ndarray  # (n,) what must not be on both sides of a measurement: the speaker, the part of the images
    weights: np.ndarray  # (n,) how much each counts

    def only(self, rows: np.ndarray) -> 'Worse':
        """Give some of the rows (n,) bool."""
        chosen = np.flatnonzero(rows)
        others = (array[chosen] for array in (self.labels, self.groups, self.weights))
        return Worse(self.probabilities[chosen], [self.terms[i] for i in chosen], *others)

    @property
    def balanced(self) -> np.ndarray:
        """The weights (n,), mean 1, so that each emotion counts the same: with biases the prior of a fit is uniform."""
        total = np.bincount(self.labels, self.weights, minlength=len(EMOTIONS))
        weights = self.weights / total[self.labels]
        return weights / weights.mean()


def fit_scaling(data: Worse, by_quality: float, by_emotion: float) -> Scaling:
    """
    Fit by least log-loss, with a ridge towards the distribution as it is (Newton's method).

    :param by_quality: Penalty on the coefficients of the quality terms.
    :param by_emotion: Penalty on what differs between emotions: their exponents and biases.
    """
    weights = data.balanced
    names, mean, scale, values = standardise(data.terms, weights)
    logs, identity = log_odds(data.probabilities)[:, :, None], np.eye(len(EMOTIONS))
    features = np.concatenate(  # (n, 6, parameters) of the fitted logits
        [
            logs,
            logs * identity,
            np.broadcast_to(identity, (len(logs), *identity.shape)),
            logs * values[:, None],
        ],
        axis=2,
    )
    penalty = np.array([SAME] + [by_emotion] * 2 * len(EMOTIONS) + [by_quality] * len(names))
    start = np.eye(len(penalty))[0]
    fitted = start
    rows, count = np.arange(len(logs)), len(penalty)

    def cost(values: np.ndarray) -> float:
        logits = features @ values
        highest = logits.max(axis=1)
        loss = np.log(np.exp(logits - highest[:, None]).sum(axis=1)) + highest - logits[rows, data.labels]
        return float(weights @ loss + penalty @ (values - start) ** 2 / 2)

    for _ in range(ITERATIONS):
        chance = softmax(features @ fitted)
        mean_features = (chance[:, None] @ features)[:, 0]
        gradient = weights @ (features[rows, data.labels] - mean_features) - penalty * (fitted - start)
        rooted = (features * np.sqrt(weights[:, None] * chance)[:, :, None]).reshape(-1, count)
        curvature = rooted.T @ rooted - (mean_features * weights[:, None]).T @ mean_features + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        while np.abs(step).max() > STEP and cost(fitted + step) > cost(fitted):
            step = step / 2
        fitted = fitted + step
        if np.abs(step).max() < STEP:
            break
    rounded = (fitted.round(DIGITS) + 0.0).tolist()  # without -0.0
    shared, differences, rest = rounded[0], rounded[1 : len(EMOTIONS) + 1], rounded[len(EMOTIONS) + 1 :]
    biases, coefficients = rest[: len(EMOTIONS)], rest[len(EMOTIONS) :]
    return Scaling(
        tuple(round(shared + difference, DIGITS) for difference in differences),
        tuple(biases),
        {
            name: {'mean': float(mean[i]), 'scale': float(scale[i]), 'coefficient': coefficients[i]}
            for i, name in enumerate(names)
        },
    )


def cross_scaled(data: Worse, by_quality: float, by_emotion: float) -> np.ndarray:
    """Scale each group's distributions by a fit on all the others; gives (n, 6)."""
    scaled = np.empty_like(data.probabilities)
    for group in np.unique(data.groups):
        inside = data.groups == group
        fit = fit_scaling(data.only(~inside), by_quality, by_emotion)
        scaled[inside] = [fit(data.probabilities[i], data.terms[i]) for i in np.flatnonzero(inside)]
    return scaled


def choose_scaling(data: Worse) -> tuple[Scaling, np.ndarray, dict[str, Any]]:
    """
    Fit with those of PENALTIES that make the truth most probable in groups that the fit has not seen: the largest of
    those that are as good.

    :return: The fit to all of the data; what cross-fitting makes of each input (n, 6); and what each part is worth.
    """
    tries = {pair: cross_scaled(data, *pair) for pair in product(PENALTIES, repeat=2)}
    losses = {pair: log_loss(data, scaled) for pair, scaled in tries.items()}

    def best_of(parts: tuple[bool, bool]) -> tuple[float, float]:
        those = {pair: loss for pair, loss in losses.items() if (pair[0] < OUT, pair[1] < OUT) == parts}
        return max(pair for pair, loss in those.items() if loss < min(those.values()) + AS_GOOD)

    chosen = {name: best_of(parts) for name, parts in WAYS.items()}
    name = min(chosen, key=lambda name: losses[chosen[name]])
    best = chosen[name]
    ways = {'as it is': data.probabilities} | {name: tries[pair] for name, pair in chosen.items()}
    figures = {
        'held_out': {
            name: {
                'log_loss': round(log_loss(data, scaled), 4),
                'calibration_error': round(metrics.calibration_error(data.labels, scaled), 4),
                'macro_f1': round(metrics.macro_f1(data.labels, scaled.argmax(axis=1)), 4),
            }
            for name, scaled in ways.items()
        },
        'chosen': name,
        'penalties': {part: value for part, value in zip(('quality', 'emotion'), best) if value < OUT},
    }
    return fit_scaling(data, *best), tries[best], figures


def log_loss(data: Worse, probabilities: np.ndarray) -> float:
    """Give the mean negative log-probability (n, 6) of the truth, each emotion counting the same."""
    chance = probabilities[np.arange(len(data.labels)), data.labels]
    return float(np.average(-np.log(np.maximum(chance, 1e-12)), weights=data.balanced))
