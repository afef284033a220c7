"""Two or more distributions to one."""

from collections.abc import Sequence

import numpy as np

from emotion_core.emotions import normalise

FLOOR = 1e-6  # a probability below this counts as this: one expert alone cannot rule an emotion out


def linear(probabilities: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """
    Linear opinion pool: sum of weight x P.

    :param probabilities: Distributions of shape (6,).
    :param weights: Non-negative, not all 0.
    """
    return normalise(np.asarray(weights, np.float64) @ np.stack(probabilities))


def log_linear(probabilities: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """
    Weighted product of experts: product of P ** (weight / largest weight).

    The most trusted expert enters whole, so that one expert alone comes out as it went in, and two that are trusted
    alike multiply, as independent evidence does (Genest and Zidek 1986, section 3).

    :param probabilities: Distributions of shape (6,).
    :param weights: Non-negative, not all 0.
    """
    exponents = np.asarray(weights, np.float64) / np.max(weights)
    logs = exponents @ np.log(np.maximum(np.stack(probabilities), FLOOR))
    return normalise(np.exp(logs - logs.max()))
