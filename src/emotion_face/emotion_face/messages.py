"""From the faces of a frame to messages."""

import numpy as np
from sensor_msgs.msg import RegionOfInterest

from emotion_core.messages import to_header, to_probs
from emotion_face.detector import Box
from emotion_face.recognizer import Face, FrameResult
from emotion_msgs.msg import FaceEmotion, FaceEmotions


def to_face_emotions(result: FrameResult) -> FaceEmotions:
    """Give the faces of a frame as a message."""
    return FaceEmotions(
        header=to_header(result.stamp_ns, result.frame_id),
        image_width=result.width,
        image_height=result.height,
        detector=result.detector,
        faces=[_to_face_emotion(face, result.width, result.height) for face in result.faces],
    )


def _to_face_emotion(face: Face, width: int, height: int) -> FaceEmotion:
    landmarks = face.detection.landmarks
    return FaceEmotion(
        box=_to_region(face.detection.box, width, height),
        landmarks_px=[] if landmarks is None else np.asarray(landmarks, np.float32).ravel().tolist(),
        detection_score=float(face.detection.score),
        detected=face.detected,
        emotion=to_probs(face.evidence),
    )


def _to_region(box: Box, width: int, height: int) -> RegionOfInterest:
    """Give the part of a box that is inside the frame."""
    left, top = (int(np.clip(round(value), 0, limit)) for value, limit in zip(box[:2], (width, height)))
    right, bottom = (
        int(np.clip(round(start + size), 0, limit)) for start, size, limit in zip(box[:2], box[2:], (width, height))
    )
    return RegionOfInterest(x_offset=left, y_offset=top, width=right - left, height=bottom - top)
