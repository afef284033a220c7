"""Everything that one overlay picture shows; no ROS."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class FaceView:
    """One face of the frame."""

    box: tuple[int, int, int, int]  # x, y, width, height [px of the frame]
    subject_id: str
    label: str
    confidence: float  # [0, 1]


@dataclass(frozen=True)
class FusedView:
    """One fused estimate with its inputs; probabilities have shape (6,), or are None where there is no evidence."""

    subject_id: str
    label: str
    confidence: float
    fused: np.ndarray | None
    face: np.ndarray | None
    speech: np.ndarray | None
    face_weight: float
    speech_weight: float
    face_reason: str
    speech_reason: str


@dataclass(frozen=True)
class Hearing:
    """What the microphone gives."""

    level_dbfs: float
    speaking: bool


@dataclass(frozen=True)
class Scene:
    """What is known at the moment of a frame; None where a node has said nothing lately."""

    faces: tuple[FaceView, ...] = field(default=())
    fused: FusedView | None = None
    hearing: Hearing | None = None
    speaker_id: str = ''  # the face that the voice is taken for
