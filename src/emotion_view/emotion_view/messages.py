"""From the messages of the emotion nodes to what the overlay shows."""

from dataclasses import replace

import numpy as np

from emotion_core.emotions import EMOTIONS
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
    if not msg.source:
        return None
    best = int(np.argmax(msg.probabilities))
    return Opinion(EMOTIONS[best], float(msg.probabilities[best]), np.asarray(msg.probabilities), msg.quality_reason)


def to_session_view(msg: SessionState) -> SessionView | None:
    """Give a capture; None when none goes on."""
    if not msg.active:
        return None
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
    """Give a game; None when none goes on."""
    if not msg.active:
        return None
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
