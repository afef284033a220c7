"""Between the dataclasses of fusion and ROS messages."""

from emotion_core.messages import to_header, to_ns, to_probs
from emotion_fusion.fuser import Fused
from emotion_fusion.speaker import Loudness
from emotion_msgs.msg import EmotionProbs, FusedEmotion, SpeechActivity


def to_fused_emotion(fused: Fused) -> FusedEmotion:
    """Give a fused estimate as a message."""
    return FusedEmotion(
        header=to_header(fused.evidence.stamp_ns, fused.evidence.frame_id),
        subject_id=fused.evidence.subject_id,
        is_speaker=fused.is_speaker,
        speaker_reason=fused.speaker.reason if fused.speaker else '',
        fused=to_probs(fused.evidence),
        face=to_probs(fused.face) if fused.face else EmotionProbs(),
        speech=to_probs(fused.speech) if fused.speech else EmotionProbs(),
        face_weight=fused.face_weight,
        speech_weight=fused.speech_weight,
        face_reason=fused.face_reason,
        speech_reason=fused.speech_reason,
        method=fused.method,
        label=fused.label,
        confidence=fused.confidence,
    )


def to_loudness(msg: SpeechActivity) -> Loudness:
    """Give how loud it was."""
    return Loudness(to_ns(msg.header.stamp), msg.level_dbfs)
