"""A segment of speech to probabilities over the six emotions, and how far to trust them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from emotion_core.onnx_model import OnnxModel
from emotion_speech.preprocess import to_batch
from emotion_speech.quality import PHRASES, segment_quality

UNFITTED_QUALITY = 0.4  # of a model without a fit: about what models reach on speakers and rooms they do not know


class Opinion(NamedTuple):
    """What a classifier says about one segment."""

    probabilities: np.ndarray  # (6,), sum 1
    quality: float  # expected chance that the most probable emotion is right, [0, 1]
    quality_terms: dict[str, float]
    quality_reason: str


class SpeechClassifier:
    """A SER model with its card."""

    def __init__(self, folder: Path):
        """
        Load the model of a folder.

        :raises ModelError: when it cannot be used.
        """
        self._model = OnnxModel(folder, 'ser')
        self.identity = self._model.card.identity
        self.sample_rate = self._model.card.input.sample_rate

    def __call__(self, segment: np.ndarray) -> Opinion:
        """Classify mono float samples in [-1, 1] at ``sample_rate``, with some background around the speech."""
        card = self._model.card
        terms = segment_quality(segment, card.input.sample_rate)
        probabilities = self._model(to_batch(segment, card.input))[0]
        if card.reliability is None:
            return Opinion(probabilities, UNFITTED_QUALITY, terms, 'no quality fitted')
        return Opinion(probabilities, card.reliability(terms), terms, card.reliability.reason(terms, PHRASES))
