"""Temperature scaling: one number that makes confidence mean accuracy (Guo et al. 2017)."""

import numpy as np

from emotion_core.emotions import softmax

LOWEST, HIGHEST = 0.1, 10.0
STEPS = 60  # of the golden section; far below float precision of the loss


def negative_log_likelihood(logits: np.ndarray, truth: np.ndarray, temperature: float) -> float:
    """Give the mean negative log-likelihood of the true classes at a temperature."""
    probabilities = softmax(logits, temperature)[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(probabilities, 1e-12)).mean())


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """Give the temperature in [0.1, 10] of least negative log-likelihood; logits (n, classes), truth (n,)."""
    low, high = np.log(LOWEST), np.log(HIGHEST)  # the loss has one minimum in the logarithm
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(STEPS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if negative_log_likelihood(logits, truth, np.exp(left)) < negative_log_likelihood(logits, truth, np.exp(right)):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))
