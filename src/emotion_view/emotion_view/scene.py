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
class Opinion:
    """What one source says."""

    label: str
    confidence: float  # [0, 1]
    probabilities: np.ndarray  # (6,)
    reason: str  # what lowers its quality


@dataclass(frozen=True)
class SessionView:
    """A capture: hold an expression, speak, see both."""

    stage: str  # 'hold', 'locked', 'listen', 'result' or 'failed'
    prompt: str
    progress: float  # of the lock, [0, 1]
    subject_id: str
    seconds_left: float
    level_dbfs: float
    speaking: bool
    face: Opinion | None = None
    speech: Opinion | None = None
    fused: Opinion | None = None


@dataclass(frozen=True)
class PlayerView:
    """One player of the game."""

    name: str
    subject_id: str
    present: bool
    probability: float  # of the target, now, [0, 1]
    score: float  # of this round, [0, 1]
    rounds_won: int
    total: float


@dataclass(frozen=True)
class GameView:
    """A game for two."""

    stage: str  # 'waiting', 'countdown', 'playing', 'score' or 'gameover'
    prompt: str
    target: str
    round: int
    rounds: int
    seconds_left: float
    paused: bool
    turn: int  # whose voice counts, 1 or 2; 0 in a round of faces
    winner: int  # of the round, or of the game when it is over: 1, 2, 3 for a tie, 0 while nobody
    players: tuple[PlayerView, PlayerView]


@dataclass(frozen=True)
class Scene:
    """What is known at the moment of a frame; None where a node has said nothing lately."""

    faces: tuple[FaceView, ...] = field(default=())
    fused: FusedView | None = None
    hearing: Hearing | None = None
    speaker_id: str = ''  # the face that the voice is taken for
    session: SessionView | None = None  # a capture that goes on, or is shown
    game: GameView | None = None  # a game that goes on, or is shown
