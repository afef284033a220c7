"""A segment of speech to probabilities over the six emotions, and how far to trust them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from emotion_core.onnx_model import OnnxModel
from emotion_core.reliability import Trusted
from emotion_speech.preprocess import to_batch
from emotion_speech.quality import PHRASES, segment_quality
from emotion_speech.speaker import FORGET_AFTER_S, Heard, SpeakerModel, voice_quality

VOICED = 0.3  # voice_confidence of what may be remembered as a voice: speech at 0 dB has 0.4 and more, noise 0.1
UNFITTED_QUALITY = 0.4  # of a model without a fit: about what models reach on speakers and rooms they do not know


class Opinion(NamedTuple):
    """What a classifier says about one segment."""

    probabilities: np.ndarray  # (6,), sum 1
    quality: float  # how often inputs of this quality are told right on average, [0, 1]
    quality_terms: dict[str, float]
    quality_reason: str
    heard: Heard | None = None  # what ``remember`` takes


class SpeechClassifier:
    """A SER model with its card, and what it remembers of the voice that it hears."""

    def __init__(self, folder: Path, adapt: bool = True, forget_after_s: float = FORGET_AFTER_S):
        """
        Load the model of a folder.

        :param adapt: Compare a voice with what it said before, where the model can do that.
        :param forget_after_s: Silence after which the next voice may be anybody's [s].
        :raises ModelError: when it cannot be used.
        """
        model = OnnxModel(folder, 'ser')
        self._card = model.card
        self._speaker_model = SpeakerModel(model, adapt, forget_after_s)
        self.identity = self._card.identity
        self.sample_rate = self._card.input.sample_rate

    def __call__(self, segment: np.ndarray, start_ns: int = 0) -> Opinion:
        """
        Classify a segment; what is remembered stays as it is.

        :param segment: Mono float samples in [-1, 1] at ``sample_rate``, with some background around the speech.
        :param start_ns: When it begins.
        """
        heard = self._speaker_model(to_batch(segment, self._card.input), start_ns)
        terms = segment_quality(segment, self.sample_rate) | voice_quality(heard.speaker)
        trusted = Trusted(heard.probabilities, UNFITTED_QUALITY, 'no quality fitted')
        if self._card.reliability is not None:
            trusted = self._card.reliability.trust(heard.probabilities, terms, PHRASES)
        return Opinion(trusted.probabilities, trusted.quality, terms, trusted.reason, heard)

    def remember(self, opinion: Opinion, end_ns: int = 0) -> None:
        """Remember the voice of a segment that is complete, and when it ended; a thump or a scrape is none."""
        if opinion.heard is not None and opinion.quality_terms['voice_confidence'] >= VOICED:
            self._speaker_model.remember(opinion.heard, end_ns)

    def forget(self) -> None:
        """Know nobody: whoever speaks next is heard for the first time."""
        self._speaker_model.forget()
