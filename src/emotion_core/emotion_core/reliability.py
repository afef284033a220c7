"""From quality terms to how far a distribution can be trusted: the fits that a model card carries."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from emotion_core.emotions import EMOTIONS, log_odds, softmax
from emotion_core.errors import ModelError

CLIP = 3.0  # standard deviations; a term far outside what the fit has seen counts as this far
REASON_LOG_ODDS = -0.25  # what takes less than this from the log-odds is not worth a word
REASONS = 3
CHANCE = 1 / len(EMOTIONS)
FADES = 2 * CHANCE  # quality below which a distribution fades; flat where the quality is that of a guess


Terms = dict[str, dict[str, float]]  # of a fit: name -> {'mean', 'scale', 'coefficient'}


class Trusted(NamedTuple):
    """A distribution as it can be believed, and how far."""

    probabilities: np.ndarray  # (6,), sum 1
    quality: float  # how often inputs of this quality are told right on average, [0, 1]
    reason: str  # what lowers the quality most; '' when nothing does


@dataclass(frozen=True)
class Scaling:
    """
    What a model's distribution P is worth under its quality: softmax(exponent * L + bias), L = log P - mean of log P.

    This is vector scaling (Guo et al. 2017) whose exponents, at least 0, move with the quality: exponents[c] + sum of
    coefficient * z. Inputs of a kind that the model is too sure of get a flatter distribution, and so does an emotion
    that it tells badly. Each emotion weighs the same in the fit, so that with biases the prior of what comes out is
    about uniform; without them it is what the model's own is.
    """

    exponents: tuple[float, ...]  # of each emotion, where all terms have their mean
    biases: tuple[float, ...]
    terms: Terms

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> 'Scaling':
        """Read the fit as the model card keeps it; raises ModelError when it is not that."""
        try:
            exponents, biases = (tuple(_finite(item) for item in value[key]) for key in ('exponents', 'biases'))
            if not len(exponents) == len(biases) == len(EMOTIONS):
                raise ValueError(f'{len(exponents)} exponents and {len(biases)} biases')
            return cls(exponents, biases, _terms_of(value))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"'scaling' of the model card is not a fit of six emotions: {error!r}") from error

    def exponents_at(self, quality_terms: dict[str, float]) -> np.ndarray:
        """Give the exponent of each emotion (6,) under these quality terms; an absent one counts as its mean."""
        return np.maximum(np.array(self.exponents) + sum(_contributions(self.terms, quality_terms).values()), 0)

    def __call__(self, probabilities: np.ndarray, quality_terms: dict[str, float]) -> np.ndarray:
        """Scale a distribution (6,)."""
        return softmax(self.exponents_at(quality_terms) * log_odds(probabilities) + np.array(self.biases))


@dataclass(frozen=True)
class Reliability:
    """A logistic regression on standardised quality terms: P(right) = sigmoid(intercept + sum of coefficient * z)."""

    intercept: float
    terms: Terms
    scaling: Scaling | None = None  # None: a distribution is taken as it is

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> 'Reliability':
        """Read the fit as the model card keeps it; raises ModelError when it is not that."""
        try:
            scaling = value.get('scaling')
            return cls(_finite(value['intercept']), _terms_of(value), scaling and Scaling.from_json(scaling))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"'reliability' of the model card is not a fit of quality terms: {error!r}") from error

    def contributions(self, quality_terms: dict[str, float]) -> dict[str, float]:
        """Give how much each term adds to the log-odds of being right; a term that is absent adds 0."""
        return _contributions(self.terms, quality_terms)

    def trust(
        self, probabilities: np.ndarray, quality_terms: dict[str, float], phrases: dict[str, tuple[str, str]]
    ) -> Trusted:
        """
        Say how far to believe a distribution (6,) under these quality terms.

        :param phrases: As ``reason`` takes them.
        """
        quality = self(quality_terms)
        if self.scaling is not None:
            probabilities = fade(self.scaling(probabilities, quality_terms), quality)
        return Trusted(probabilities, quality, self.reason(quality_terms, phrases))

    def reason(self, quality_terms: dict[str, float], phrases: dict[str, tuple[str, str]]) -> str:
        """
        Say what lowers the quality most.

        :param phrases: For a term the words for a low and for a high value, such as ('dark', 'glaring'); they may
            name terms, as '{size_px:.0f} px' does; an empty one is left out.
        :return: The words of at most REASONS terms, the weightiest first; where many together lower it, and none
            much, the weightiest alone; '' when the quality is not lowered.
        """
        words, enough = [], []
        contributions = self.contributions(quality_terms)
        for name, contribution in sorted(contributions.items(), key=lambda item: item[1]):
            if contribution >= 0 or name not in phrases:
                continue
            phrase = phrases[name][quality_terms[name] > self.terms[name]['mean']].format(**quality_terms)
            if phrase and phrase not in words:
                words.append(phrase)
                enough.append(contribution <= REASON_LOG_ODDS)
        count = sum(enough) or sum(contributions.values()) <= REASON_LOG_ODDS
        return ', '.join(words[: min(count, REASONS)])

    def __call__(self, quality_terms: dict[str, float]) -> float:
        """Give how often inputs with these terms are told right on average, in [0, 1]."""
        return float(1 / (1 + np.exp(-(self.intercept + sum(self.contributions(quality_terms).values())))))


def fade(probabilities: np.ndarray, quality: float) -> np.ndarray:
    """
    Flatten a distribution (6,) of a quality below FADES, by as much as its log-odds over a guess are less.

    :param quality: Expected chance of being right; of CHANCE or less the distribution says nothing.
    """
    over_guess, enough = (logit(chance) - logit(CHANCE) for chance in (min(max(quality, CHANCE), FADES), FADES))
    return softmax(over_guess / enough * log_odds(probabilities))


def logit(chance: float) -> float:
    """Give the log-odds of a chance in (0, 1)."""
    return math.log(chance / (1 - chance))


def _terms_of(value: dict[str, Any]) -> Terms:
    terms = {
        name: {key: _finite(term[key]) for key in ('mean', 'scale', 'coefficient')}
        for name, term in value['terms'].items()
    }
    for name, term in terms.items():
        if term['scale'] <= 0:
            raise ValueError(f"'{name}' has the scale {term['scale']}")
    return terms


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f'{number} is no number')
    return number


def _contributions(terms: Terms, quality_terms: dict[str, float]) -> dict[str, float]:
    return {
        name: fit['coefficient'] * min(max((quality_terms[name] - fit['mean']) / fit['scale'], -CLIP), CLIP)
        for name, fit in terms.items()
        if name in quality_terms and math.isfinite(quality_terms[name])
    }
