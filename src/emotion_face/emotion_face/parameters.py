"""Parameters of the face node."""

from dataclasses import dataclass

from emotion_core.parameters import param
from emotion_face.recognizer import Settings

TRANSPORTS = ('raw', 'compressed')
_DEFAULT = Settings()


@dataclass(frozen=True)
class FaceParameters:
    """How faces are found, followed and classified."""

    model: str = param('fer_compact', 'Name of a FER model in the store, or the path of its folder.')
    detector: str = param(
        'auto', "'auto' (YuNet where the store has it, otherwise Haar), 'haar', or the name or folder of a YuNet model."
    )
    image_transport: str = param(
        'raw', 'Whether image_raw or image_raw/compressed is subscribed to.', choices=TRANSPORTS, read_only=True
    )
    search_period: float = param(
        _DEFAULT.search_period,
        'Time between two searches of the whole frame; between them '
        'faces are searched near where they were [s]; 0: every frame is searched.',
        low=0.0,
        high=5.0,
    )
    max_lost: float = param(
        _DEFAULT.max_lost, 'A face that was missing for longer than this gets a new id [s].', low=0.0, high=10.0
    )
    max_faces: int = param(
        _DEFAULT.max_faces, 'Only this many faces of a frame are recognised, the largest.', low=1, high=100
    )
    min_face: float = param(
        _DEFAULT.min_face,
        'What a detector found is dropped when it looks less like a face than this, where the model tells; 0: nothing.',
        low=0.0,
        high=1.0,
    )

    @property
    def settings(self) -> Settings:
        """What the recognizer takes."""
        return Settings(self.search_period, self.max_lost, self.max_faces, self.min_face)
