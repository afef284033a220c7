"""From messages to what the page gets as JSON."""

from typing import Any

from emotion_msgs.msg import (
    EmotionProbs,
    FaceEmotions,
    FusedEmotion,
    GamePlayer,
    GameState,
    SessionState,
    SpeechActivity,
)
from emotion_view.messages import GAME_STAGES, probabilities_of, to_faces


def _names(kind: type, *names: str) -> dict[int, str]:
    return {getattr(kind, name): name.lower() for name in names}


SESSION_STATES = _names(SessionState, 'WAITING_FACE', 'LOCKED', 'LISTENING', 'SHOW_RESULT')
WINNERS = _names(GameState, 'NOBODY', 'PLAYER_1', 'PLAYER_2', 'TIE')


def _probabilities(msg: EmotionProbs) -> list[float] | None:
    probabilities = probabilities_of(msg)
    return None if probabilities is None else probabilities.tolist()


def faces(msg: FaceEmotions) -> list[dict[str, Any]]:
    """Give the faces of one frame, with boxes as shares of its width and height."""
    width, height = max(msg.image_width, 1), max(msg.image_height, 1)
    return [
        {
            'box': [x / width, y / height, w / width, h / height],
            'id': face.subject_id,
            'label': face.label,
            'confidence': face.confidence,
        }
        for face in to_faces(msg)
        for x, y, w, h in [face.box]
    ]


def estimate(msg: FusedEmotion) -> dict[str, Any]:
    """Give one fused estimate."""
    return {
        'id': msg.subject_id,
        'is_speaker': msg.is_speaker,
        'label': msg.label,
        'confidence': msg.confidence,
        'fused': _probabilities(msg.fused),
        'face': _probabilities(msg.face),
        'voice': _probabilities(msg.speech),
        'weights': [msg.face_weight, msg.speech_weight],
        'reasons': [msg.face_reason, msg.speech_reason],
        'speaker': msg.speaker_reason,
        'models': {'face': msg.face.model, 'voice': msg.speech.model, 'fusion': msg.method},
    }


def hearing(msg: SpeechActivity) -> dict[str, Any]:
    """Give what the microphone gives."""
    return {'level': msg.level_dbfs, 'floor': msg.noise_floor_dbfs, 'speaking': msg.speaking}


def session(msg: SessionState) -> dict[str, Any]:
    """Give where the session is."""
    return {
        'active': msg.active,
        'state': SESSION_STATES.get(msg.state, 'unknown'),
        'prompt': msg.prompt,
        'message': msg.message,
        'subject': msg.subject_id,
        'progress': msg.lock_progress,
        'seconds_left': msg.seconds_left,
        'level': msg.level_dbfs,
        'face': _probabilities(msg.face),
        'voice': _probabilities(msg.speech),
        'label': msg.fused.label,
        'confidence': msg.fused.confidence,
    }


def _player(msg: GamePlayer) -> dict[str, Any]:
    return {
        'name': msg.name,
        'subject': msg.subject_id,
        'present': msg.present,
        'now': msg.target_probability,
        'score': msg.round_score,
        'rounds_won': msg.rounds_won,
        'total': msg.total_score,
    }


def game(msg: GameState) -> dict[str, Any]:
    """Give where the game is."""
    return {
        'active': msg.active,
        'state': GAME_STAGES.get(msg.state, 'unknown'),
        'paused': msg.paused,
        'turn': msg.turn,
        'voice_round': msg.voice_round,
        'round': msg.round,
        'rounds': msg.rounds,
        'target': msg.target,
        'seconds_left': msg.seconds_left,
        'players': [_player(player) for player in msg.players],
        'round_winner': WINNERS.get(msg.round_winner, 'nobody'),
        'winner': WINNERS.get(msg.winner, 'nobody'),
        'prompt': msg.prompt,
        'message': msg.message,
    }
