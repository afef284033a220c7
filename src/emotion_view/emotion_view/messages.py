"""From the messages of the emotion nodes to what the overlay shows."""

import numpy as np

from emotion_core.emotions import EMOTIONS
from emotion_msgs.msg import EmotionProbs, FaceEmotions, FusedEmotion, SpeechActivity
from emotion_view.scene import FaceView, FusedView, Hearing


def to_faces(msg: FaceEmotions) -> tuple[FaceView, ...]:
    """Give the faces of one frame."""
    views = []
    for face in msg.faces:
        best = int(np.argmax(face.emotion.probabilities))
        box = (face.box.x_offset, face.box.y_offset, face.box.width, face.box.height)
        views.append(FaceView(box, face.emotion.subject_id, EMOTIONS[best], float(face.emotion.probabilities[best])))
    return tuple(views)


def _probabilities(msg: EmotionProbs) -> np.ndarray | None:
    return np.asarray(msg.probabilities) if msg.source else None


def to_fused_view(msg: FusedEmotion) -> FusedView:
    """Give one fused estimate."""
    return FusedView(
        subject_id=msg.subject_id,
        label=msg.label,
        confidence=msg.confidence,
        fused=_probabilities(msg.fused),
        face=_probabilities(msg.face),
        speech=_probabilities(msg.speech),
        face_weight=msg.face_weight,
        speech_weight=msg.speech_weight,
        face_reason=msg.face_reason,
        speech_reason=msg.speech_reason,
    )


def to_hearing(msg: SpeechActivity) -> Hearing:
    """Give what the microphone gives."""
    return Hearing(level_dbfs=msg.level_dbfs, speaking=msg.speaking)
