"""Temperature scaling: one number that makes confidence mean accuracy (Guo et al. 2017)."""

import numpy as np

from emotion_core.emotions import softmax

LOWEST, HIGHEST = 0.1, 10.0
STEPS = 60  # of the golden section; far below float precision of the loss


def negative_log_likelihood(logits: np.ndarray, truth: np.ndarray, temperature: float | np.ndarray) -> float:
    """
    Give the mean negative log-likelihood of the true classes.

    :param logits: (n, classes).
    :param truth: (n,).
    :param temperature: One for all, or (n, 1).
    """
    probabilities = softmax(logits / temperature)[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(probabilities, 1e-12)).mean())


def fit_temperature(logits: np.ndarray, truth: np.ndarray, cold: float = 1.0, known: np.ndarray | float = 1.0) -> float:
    """
    Give the temperature in [0.1, 10] of least negative log-likelihood.

    :param logits: (n, classes).
    :param truth: (n,).
    :param cold: The temperature of rows whose ``known`` is 0.
    :param known: (n,) in [0, 1], how far each row's temperature is from ``cold`` to the one that is fitted.
    """
    rows = np.reshape(known, (-1, 1))
    low, high = np.log(LOWEST), np.log(HIGHEST)  # the loss has one minimum in the logarithm
    ratio = (np.sqrt(5) - 1) / 2

    def loss(logarithm: float) -> float:
        return negative_log_likelihood(logits, truth, cold + (np.exp(logarithm) - cold) * rows)

    for _ in range(STEPS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))
