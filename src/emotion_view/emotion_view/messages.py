"""From the messages of the emotion nodes to what the overlay shows; what cannot be drawn is refused here."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from emotion_core.emotions import EMOTIONS
from emotion_core.errors import InputError
from emotion_core.evidence import SUM_TOLERANCE
from emotion_core.messages import to_evidence
from emotion_msgs.msg import EmotionProbs, FaceEmotions, FusedEmotion, GameState, SessionState, SpeechActivity
from emotion_view.scene import FaceView, FusedView, GameView, Hearing, Opinion, PlayerView, SessionView

SESSION_STAGES = {
    SessionState.WAITING_FACE: 'hold',
    SessionState.LOCKED: 'locked',
    SessionState.LISTENING: 'listen',
    SessionState.SHOW_RESULT: 'failed',
}
GAME_STAGES = {
    GameState.WAITING: 'waiting',
    GameState.COUNTDOWN: 'countdown',
    GameState.PLAYING: 'playing',
    GameState.SCORE: 'score',
    GameState.GAMEOVER: 'gameover',
}
LARGEST_PX = 1_000_000  # of a box: a multiple of any picture, that OpenCV takes


def to_faces(msg: FaceEmotions) -> tuple[FaceView, ...]:
    """
    Give the faces of one frame.

    :raises InputError: when what is said of one cannot be used.
    """
    views = []
    for face in msg.faces:
        emotion = to_evidence(face.emotion)
        box = (face.box.x_offset, face.box.y_offset, face.box.width, face.box.height)
        box = tuple(min(size, LARGEST_PX) for size in box)
        views.append(FaceView(box, emotion.subject_id, emotion.label, float(emotion.probabilities.max())))
    return tuple(views)


def probabilities_of(msg: EmotionProbs) -> np.ndarray | None:
    """Give probabilities of shape (6,), or None where there was no evidence; raises InputError for unusable ones."""
    return to_evidence(msg).probabilities if msg.source else None


def _check(msg: Any, *shares: str, number: str = '') -> None:
    """Refuse a message in which a field is no share of 1, or one is no number."""
    for name in shares:
        if not -SUM_TOLERANCE <= getattr(msg, name) <= 1 + SUM_TOLERANCE:
            raise InputError('bad number', f'{name} is {getattr(msg, name)}: it must be in [0, 1]')
    if number and not math.isfinite(getattr(msg, number)):
        raise InputError('bad number', f'{number} is {getattr(msg, number)}')


def to_fused_view(msg: FusedEmotion) -> FusedView:
    """
    Give one fused estimate.

    :raises InputError: when its numbers cannot be used.
    """
    _check(msg, 'confidence', 'face_weight', 'speech_weight')
    return FusedView(
        subject_id=msg.subject_id,
        label=msg.label,
        confidence=msg.confidence,
        fused=probabilities_of(msg.fused),
        face=probabilities_of(msg.face),
        speech=probabilities_of(msg.speech),
        face_weight=msg.face_weight,
        speech_weight=msg.speech_weight,
        face_reason=msg.face_reason,
        speech_reason=msg.speech_reason,
    )


def to_face_alone(msg: EmotionProbs) -> FusedView:
    """Give what a face says, where nobody fuses it."""
    best = int(np.argmax(msg.probabilities))
    return FusedView(
        subject_id=msg.subject_id,
        label=EMOTIONS[best],
        confidence=float(msg.probabilities[best]),
        fused=None,
        face=np.asarray(msg.probabilities),
        speech=None,
        face_weight=1.0,
        speech_weight=0.0,
        face_reason=msg.quality_reason,
        speech_reason='no fusion node: the face alone',
    )


def to_hearing(msg: SpeechActivity) -> Hearing:
    """Give what the microphone gives."""
    return Hearing(level_dbfs=msg.level_dbfs, speaking=msg.speaking)


def _opinion(msg: EmotionProbs) -> Opinion | None:
    probabilities = probabilities_of(msg)
    if probabilities is None:
        return None
    best = int(np.argmax(probabilities))
    return Opinion(EMOTIONS[best], float(probabilities[best]), probabilities, msg.quality_reason)


def to_session_view(msg: SessionState) -> SessionView | None:
    """
    Give a capture; None when none goes on.

    :raises InputError: when its numbers cannot be used.
    """
    if not msg.active:
        return None
    _check(msg, 'lock_progress', number='seconds_left')
    _check(msg.fused, 'confidence')
    fused = _opinion(msg.fused.fused)
    return SessionView(
        stage='result' if msg.outcome == SessionState.OUTCOME_SUCCESS else SESSION_STAGES.get(msg.state, 'failed'),
        prompt=msg.prompt,
        progress=msg.lock_progress,
        subject_id=msg.subject_id,
        seconds_left=msg.seconds_left,
        level_dbfs=msg.level_dbfs,
        speaking=msg.speaking,
        face=_opinion(msg.face),
        speech=_opinion(msg.speech),
        fused=fused and replace(fused, label=msg.fused.label, confidence=msg.fused.confidence),
    )


def to_game_view(msg: GameState) -> GameView | None:
    """
    Give a game; None when none goes on.

    :raises InputError: when its numbers cannot be used.
    """
    if not msg.active:
        return None
    _check(msg, number='seconds_left')
    for player in msg.players:
        _check(player, 'target_probability', 'round_score', number='total_score')
    players = tuple(
        PlayerView(
            name=player.name,
            subject_id=player.subject_id,
            present=player.present,
            probability=player.target_probability,
            score=player.round_score,
            rounds_won=player.rounds_won,
            total=player.total_score,
        )
        for player in msg.players
    )
    stage = GAME_STAGES.get(msg.state, 'waiting')
    return GameView(
        stage=stage,
        prompt=msg.prompt,
        target=msg.target,
        round=msg.round,
        rounds=msg.rounds,
        seconds_left=msg.seconds_left,
        paused=msg.paused,
        turn=msg.turn,
        winner=msg.winner if stage == 'gameover' else msg.round_winner,
        players=players,
    )
