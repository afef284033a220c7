"""Parameters of the speech node."""

from dataclasses import dataclass

from emotion_core.parameters import param
from emotion_speech.audio_format import ALL_CHANNELS, MAX_CHANNELS, RATES, SAMPLE_FORMATS
from emotion_speech.segmenter import Segmentation
from emotion_speech.speaker import FORGET_AFTER_S
from emotion_speech.vad import DETECTORS

_DEFAULT = Segmentation()


@dataclass(frozen=True)
class SpeechParameters:
    """How speech is found and classified."""

    model: str = param('ser_compact', 'Name of a SER model in the store, or the path of its folder.')
    sample_rate: int = param(16000, 'Assumed until audio_info came [Hz].', low=RATES[0], high=RATES[1])
    channels: int = param(1, 'Assumed until audio_info came.', low=1, high=MAX_CHANNELS)
    sample_format: str = param('S16LE', 'Assumed until audio_info came.', choices=SAMPLE_FORMATS)
    channel: int = param(
        ALL_CHANNELS, 'Channel to listen to, from 0; -1: the mean of all.', low=ALL_CHANNELS, high=MAX_CHANNELS - 1
    )
    vad: str = param(
        'silero',
        'Voice activity detector: a small neural network, or the level over the noise floor.',
        choices=tuple(DETECTORS),
    )
    vad_threshold: float = param(
        _DEFAULT.threshold, 'Voice probability from which a frame is a voice.', low=0.2, high=0.95
    )
    min_speech: float = param(_DEFAULT.min_speech, 'Less voice than this is no speech [s].', low=0.05, high=2.0)
    pre_roll: float = param(_DEFAULT.pre_roll, 'Audio kept before the first voice [s].', low=0.0, high=1.0)
    hang_over: float = param(_DEFAULT.hang_over, 'Silence that ends a segment [s].', low=0.1, high=2.0)
    max_segment: float = param(_DEFAULT.max_segment, 'Longer speech is split [s].', low=1.0, high=30.0)
    update_period: float = param(
        _DEFAULT.update_period, 'Between two results while somebody speaks on [s].', low=0.2, high=10.0
    )
    mute: bool = param(
        False, 'Take no notice of sound, as while the robot itself speaks; what is known of the voice stays.'
    )
    adapt: bool = param(True, 'Compare a voice with what it said before, where the model can do that.')
    forget_after: float = param(
        FORGET_AFTER_S, "Silence after which the next voice may be anybody's [s].", low=1.0, high=3600.0
    )

    @property
    def segmentation(self) -> Segmentation:
        """When speech starts and ends."""
        return Segmentation(
            threshold=self.vad_threshold,
            min_speech=self.min_speech,
            pre_roll=self.pre_roll,
            hang_over=self.hang_over,
            max_segment=self.max_segment,
            update_period=self.update_period,
        )
