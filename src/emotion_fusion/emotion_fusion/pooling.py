"""Two or more distributions to one."""

from collections.abc import Sequence

import numpy as np

from emotion_core.emotions import log_odds, normalise, softmax


def linear(probabilities: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """
    Linear opinion pool: sum of weight x P.

    :param probabilities: Distributions of shape (6,).
    :param weights: Non-negative, not all 0.
    """
    return normalise(np.asarray(weights, np.float64) @ np.stack(probabilities))


def log_linear(probabilities: Sequence[np.ndarray], exponents: Sequence[float]) -> np.ndarray:
    """
    Product of experts: product of P ** exponent.

    With exponents of 1 that is Bayes' rule for opinions that are calibrated, have a uniform prior and are independent
    given the emotion (Genest and Zidek 1986, section 3). Whoever knows little says so in a flat P, and changes little.

    :param probabilities: Distributions of shape (6,).
    :param exponents: In [0, 1].
    """
    return softmax(np.asarray(exponents, np.float64) @ log_odds(np.stack(probabilities)))
