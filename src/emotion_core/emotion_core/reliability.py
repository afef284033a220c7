"""From quality terms to the chance of being right: the fit that a model card carries."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from emotion_core.errors import ModelError

CLIP = 3.0  # standard deviations; a term far outside what the fit has seen counts as this far
REASON_LOG_ODDS = -0.25  # a term that takes less than this from the log-odds is not worth a word
REASONS = 3


@dataclass(frozen=True)
class Reliability:
    """A logistic regression on standardised quality terms: P(right) = sigmoid(intercept + sum of coefficient * z)."""

    intercept: float
    terms: dict[str, dict[str, float]]  # name -> {'mean', 'scale', 'coefficient'}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> 'Reliability':
        """Read the fit as the model card keeps it; raises ModelError when it is not that."""
        try:
            terms = {
                name: {key: float(term[key]) for key in ('mean', 'scale', 'coefficient')}
                for name, term in value['terms'].items()
            }
            return cls(float(value['intercept']), terms)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"'reliability' of the model card is not a fit of quality terms: {error!r}") from error

    def contributions(self, quality_terms: dict[str, float]) -> dict[str, float]:
        """Give how much each term adds to the log-odds of being right; a term that is absent adds 0."""
        return {
            name: fit['coefficient'] * float(np.clip((quality_terms[name] - fit['mean']) / fit['scale'], -CLIP, CLIP))
            for name, fit in self.terms.items()
            if name in quality_terms and np.isfinite(quality_terms[name])
        }

    def reason(self, quality_terms: dict[str, float], phrases: dict[str, tuple[str, str]]) -> str:
        """
        Say what lowers the quality most.

        :param phrases: For a term the words for a low and for a high value, such as ('dark', 'glaring'); they may
            name terms, as '{size_px:.0f} px' does; an empty one is left out.
        :return: The words of at most REASONS terms, the weightiest first; '' when none matters.
        """
        words = []
        for name, contribution in sorted(self.contributions(quality_terms).items(), key=lambda item: item[1]):
            if contribution > REASON_LOG_ODDS or name not in phrases:
                continue
            phrase = phrases[name][quality_terms[name] > self.terms[name]['mean']].format(**quality_terms)
            if phrase and phrase not in words:
                words.append(phrase)
        return ', '.join(words[:REASONS])

    def __call__(self, quality_terms: dict[str, float]) -> float:
        """Give the expected chance, in [0, 1], that the most probable emotion is right."""
        return float(1 / (1 + np.exp(-(self.intercept + sum(self.contributions(quality_terms).values())))))
