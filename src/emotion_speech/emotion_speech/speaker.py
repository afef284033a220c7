"""A SER model with what it remembers of the voice that it hears; the node, training and evaluation share it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from emotion_core.errors import ModelError
from emotion_core.onnx_model import OnnxModel
from emotion_core.stamps import NS_PER_S

REFERENCE, HEARD = 'reference', 'heard'  # inputs: mean voice of what was heard before, and how many utterances it is of
VOICE = 'voice'  # output: the voice of this utterance, of the size of the reference
CHANGE = 'change'  # output: over 0 when it is more likely the voice of somebody else than that of the reference
MOST_HEARD = 40  # utterances that a voice is the mean of; then older ones fade, for more do not help
FORGET_AFTER_S = 60.0
STAMP_SLACK_S = 1.0  # stamps of one stream may fall back by this much, not more


@dataclass(frozen=True)
class Speaker:
    """Somebody whose voice was heard before."""

    voice: np.ndarray  # (1, size) float32, mean of the utterances
    heard: int = 0  # utterances, at most MOST_HEARD; 0: this is the first

    @property
    def known(self) -> float:
        """How well the voice is known, in [0, 1): the weight of what was heard beside one more utterance."""
        return self.heard / (self.heard + 1)

    def after(self, voice: np.ndarray) -> 'Speaker':
        """Give the same speaker after one more utterance."""
        heard = min(self.heard + 1, MOST_HEARD)
        return Speaker(self.voice + (voice - self.voice) / np.float32(heard), heard)


class Heard(NamedTuple):
    """What a model says about one utterance."""

    probabilities: np.ndarray  # (6,), sum 1
    outputs: dict[str, np.ndarray]  # raw, by name, of a batch of one
    speaker: Speaker | None  # whom it was compared with; None: the model compares with nobody


class SpeakerModel:
    """
    A SER model that compares an utterance with what the same voice said before, where the model can do that.

    The voice that is heard is taken for the one that was heard before, unless there was a long silence, stamps fell
    back, or the model says that it is another's. Then the utterance is compared with itself alone, which is what a
    model that knows no voices always does.
    """

    def __init__(self, model: OnnxModel, adapt: bool = True, forget_after_s: float = FORGET_AFTER_S):
        """
        Know nobody yet.

        :param adapt: False: compare each utterance with itself alone.
        :param forget_after_s: Silence after which the next voice may be anybody's [s].
        :raises ModelError: when the model takes a reference and does not give what one is made from.
        """
        self._model = model
        self._adapt = adapt
        self._forget_after_ns = forget_after_s * NS_PER_S
        self.nobody: Speaker | None = None  # of whom nothing was heard before; None: the model compares with nobody
        self._names = model.output_names[:1]
        size = model.other_inputs.get(REFERENCE)
        if size is not None:
            self._names = model.output_names
            if not {VOICE, CHANGE} <= set(self._names) or HEARD not in model.other_inputs:
                raise ModelError(
                    f"model '{model.card.name}' takes a '{REFERENCE}': it must take '{HEARD}' and give '{VOICE}' and "
                    f"'{CHANGE}' too"
                )
            self.nobody = Speaker(np.zeros(size, np.float32))
        self.forget()

    def forget(self) -> None:
        """Know nobody: whoever speaks next is heard for the first time."""
        self._speaker, self._end_ns = self.nobody, 0

    def __call__(self, batch: np.ndarray, start_ns: int = 0) -> Heard:
        """
        Classify an utterance; it changes nothing that is remembered.

        :param batch: One input of the card's shape.
        :param start_ns: When the utterance begins.
        """
        speaker = self._speaker if self._goes_on(start_ns) else self.nobody
        heard = self.compare(batch, speaker)
        if speaker is not self.nobody and heard.outputs[CHANGE][0] > 0:
            heard = self.compare(batch, self.nobody)
        return heard

    def compare(self, batch: np.ndarray, speaker: Speaker | None) -> Heard:
        """Classify an utterance as one of a speaker, whether it is or not."""
        others = {}
        if speaker is not None:
            others = {REFERENCE: speaker.voice, HEARD: np.array([speaker.heard], np.float32)}
        outputs = self._model.run(batch, self._names, **others)
        logits = outputs[self._names[0]]
        return Heard(self._model.probabilities(logits, self.temperature(speaker))[0], outputs, speaker)

    def remember(self, heard: Heard, end_ns: int = 0) -> None:
        """Remember the voice of an utterance that is complete, and when it ended."""
        if heard.speaker is not None and self._adapt and np.isfinite(heard.outputs[VOICE]).all():
            self._speaker, self._end_ns = heard.speaker.after(heard.outputs[VOICE]), end_ns

    def temperature(self, speaker: Speaker | None) -> float:
        """Give the calibration temperature: the warm one for a well known speaker, the cold one for a new voice."""
        card = self._model.card
        if speaker is None or card.warm_temperature is None:
            return card.temperature
        return card.temperature + (card.warm_temperature - card.temperature) * speaker.known

    def _goes_on(self, start_ns: int) -> bool:
        return -STAMP_SLACK_S * NS_PER_S <= start_ns - self._end_ns <= self._forget_after_ns


def voice_quality(speaker: Speaker | None) -> dict[str, float]:
    """
    Give how well the speaker is known as a quality term, beside those of the segment.

    :return: ``speaker_known``: n / (n + 1) after n utterances of the same voice, 0 for the first; nothing for a model
        that compares with nobody.
    """
    return {} if speaker is None else {'speaker_known': speaker.known}
