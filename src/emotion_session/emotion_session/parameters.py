"""Parameters of the session node."""

from dataclasses import dataclass

from emotion_core.parameters import param
from emotion_fusion.parameters import METHODS, FusionParameters
from emotion_session.session import Request, Rules

_FUSION, _REQUEST, _RULES = FusionParameters(), Request(), Rules()


@dataclass(frozen=True)
class SessionParameters:
    """How a capture goes; a goal may ask for other values of the first four."""

    lock_seconds: float = param(
        _REQUEST.lock_seconds, 'How long one expression must hold to lock [s].', low=0.1, high=30.0
    )
    min_confidence: float = param(
        _REQUEST.min_confidence, 'A less probable expression does not lock.', low=0.05, high=1.0
    )
    face_timeout: float = param(
        _REQUEST.face_timeout, 'Time for an expression to lock, from the beginning [s].', low=0.5, high=3600.0
    )
    speech_timeout: float = param(
        _REQUEST.speech_timeout, 'Time to begin to speak, from when it asks to [s].', low=0.5, high=3600.0
    )
    languages: str = param('en', 'Languages of the prompts, best first, as BCP 47 tags with commas between.')
    continuous: bool = param(False, 'Begin the next capture when the result of the last was shown, without a goal.')
    method: str = param(_FUSION.method, 'How face and voice are pooled, as in emotion_fusion.', choices=METHODS)
    face_weight: float = param(_FUSION.face_weight, 'Configured weight of the face, as there.', low=0.0, high=1.0)
    speech_weight: float = param(_FUSION.speech_weight, 'Configured weight of the voice, as there.', low=0.0, high=1.0)
    smoothing: float = param(
        _RULES.smoothing, 'Time constant of the smoothing of the expression [s]; 0: none.', low=0.0, high=10.0
    )
    switch_margin: float = param(
        _RULES.switch_margin, 'Another expression must be this much more probable.', low=0.0, high=0.5
    )
    locked_seconds: float = param(
        _RULES.locked_seconds, 'From the lock until it asks to speak [s].', low=0.0, high=10.0
    )
    early_start: float = param(
        _RULES.early_start, 'An utterance that began up to this long before the lock counts [s].', low=0.0, high=5.0
    )
    end_pause: float = param(
        _RULES.end_pause, 'Silence after a segment of speech that ends the utterance [s].', low=0.0, high=5.0
    )
    longest_utterance: float = param(
        _RULES.longest_utterance, 'An utterance is ended after this long [s].', low=1.0, high=120.0
    )
    show_seconds: float = param(_RULES.show_seconds, 'How long a result is shown [s].', low=0.0, high=600.0)
    subject_grace: float = param(
        _RULES.subject_grace,
        'Another face alone in the picture for longer than this after the lock is a change of subject [s].',
        low=0.0,
        high=30.0,
    )
    input_timeout: float = param(
        _RULES.input_timeout,
        'Without a frame, or without sound, for this long the capture fails [s].',
        low=0.5,
        high=60.0,
    )

    @property
    def rules(self) -> Rules:
        """What holds for every capture."""
        return Rules(**{name: getattr(self, name) for name in Rules.__dataclass_fields__})

    @property
    def request(self) -> Request:
        """What a capture is asked for without a goal."""
        return Request(**{name: getattr(self, name) for name in Request.__dataclass_fields__})

    @property
    def fusion(self) -> FusionParameters:
        """How the held expression and the utterance are fused."""
        return FusionParameters(method=self.method, face_weight=self.face_weight, speech_weight=self.speech_weight)
