"""From a session to its message, and from a goal to a request."""

from emotion_core.messages import to_header, to_probs
from emotion_core.parameters import check
from emotion_fusion.messages import to_fused_emotion
from emotion_msgs.action import CaptureEmotion
from emotion_msgs.msg import EmotionProbs, FusedEmotion, SessionState
from emotion_session.parameters import SessionParameters
from emotion_session.session import Request, Session


def to_request(goal: CaptureEmotion.Goal, parameters: SessionParameters) -> Request:
    """
    Give what a goal asks for; where it has 0 the parameters count.

    :raises ParameterError: for a value out of its range.
    """
    asked = {name: float(getattr(goal, name)) for name in Request.__dataclass_fields__}
    return Request(
        **{
            name: check(SessionParameters, name, value) if value != 0 else getattr(parameters, name)
            for name, value in asked.items()
        }
    )


def to_state(session: Session, now_ns: int, prompt: str, message: str) -> SessionState:
    """Give a session as a message."""
    return SessionState(
        header=to_header(now_ns),
        active=session.active,
        state=int(session.state),
        prompt=prompt,
        subject_id=session.subject_id,
        lock_progress=session.lock_progress,
        seconds_left=session.seconds_left(now_ns),
        speaking=session.speaking,
        level_dbfs=session.level_dbfs,
        outcome=int(session.outcome),
        message=message,
        face=to_probs(session.face) if session.face else EmotionProbs(),
        speech=to_probs(session.speech) if session.speech else EmotionProbs(),
        fused=to_fused_emotion(session.fused) if session.fused else FusedEmotion(),
    )
