"""Parameters of the overlay node."""

from dataclasses import dataclass

from emotion_core.parameters import param


@dataclass(frozen=True)
class OverlayParameters:
    """How the overlay is drawn."""

    image_transport: str = param(
        'raw', 'Which image topic to read: image_raw, or image_raw/compressed.', choices=('raw', 'compressed')
    )
    max_age: float = param(2.0, 'What a node said longer ago than this is not drawn [s].', low=0.1, high=60.0)
