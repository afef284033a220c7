"""Parameters of the fusion node."""

from dataclasses import dataclass

from emotion_core.parameters import param

METHODS = ('fixed', 'dynamic', 'log_linear')


@dataclass(frozen=True)
class FusionParameters:
    """How face and speech evidence becomes one estimate."""

    method: str = param(
        'log_linear',
        'How the modalities are pooled: sum with fixed weights; sum with weights x quality x freshness; or product, '
        'with weights x freshness as exponents.',
        choices=METHODS,
    )
    face_weight: float = param(0.5, 'Configured weight of the face, before quality and freshness.', low=0.0, high=1.0)
    speech_weight: float = param(
        0.5, 'Configured weight of the voice, before quality and freshness.', low=0.0, high=1.0
    )
    face_window: float = param(0.5, 'Face evidence of this long is averaged [s].', low=0.0, high=5.0)
    face_half_life: float = param(0.2, 'Age at which face evidence counts half [s].', low=0.05, high=60.0)
    face_max_age: float = param(1.5, 'Age from which face evidence counts no more [s].', low=0.1, high=120.0)
    speech_half_life: float = param(3.0, 'Age at which speech evidence counts half [s].', low=0.05, high=60.0)
    speech_max_age: float = param(8.0, 'Age from which speech evidence counts no more [s].', low=0.1, high=120.0)
    smoothing: float = param(0.4, 'Time constant of the smoothing of the label [s]; 0: none.', low=0.0, high=10.0)
    switch_margin: float = param(
        0.08, 'A new label must be this much more probable than the present one.', low=0.0, high=0.5
    )
    min_confidence: float = param(0.35, 'A label less probable than this is reported as uncertain.', low=0.0, high=1.0)
