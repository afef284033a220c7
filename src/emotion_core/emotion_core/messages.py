"""Between the project's dataclasses and ROS messages."""

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from emotion_core.evidence import Evidence
from emotion_core.images import decode, decode_compressed
from emotion_core.stamps import NS_PER_S
from emotion_msgs.msg import EmotionProbs, QualityTerm

# Of the parameter image_transport: type and topic of the camera's images.
IMAGES = {'raw': (Image, 'image_raw'), 'compressed': (CompressedImage, 'image_raw/compressed')}


def to_ns(stamp: Time) -> int:
    """Give a stamp in ns since the epoch."""
    return stamp.sec * NS_PER_S + stamp.nanosec


def to_stamp(ns: int) -> Time:
    """Give ns since the epoch as a stamp."""
    return Time(sec=int(ns // NS_PER_S), nanosec=int(ns % NS_PER_S))


def to_header(ns: int, frame_id: str = '') -> Header:
    """Give a header with this stamp [ns] and frame."""
    return Header(stamp=to_stamp(ns), frame_id=frame_id)


def to_pixels(msg: Image | CompressedImage) -> np.ndarray:
    """
    Give an image as uint8 of shape (height, width, 3), BGR; possibly a read-only view of the message's data.

    :raises InputError: when it cannot be decoded.
    """
    if not hasattr(msg, 'encoding'):  # CompressedImage; a bag gives classes of its own
        return decode_compressed(msg.data)
    return decode(msg.data, msg.width, msg.height, msg.encoding, msg.step, bool(msg.is_bigendian))


def to_probs(evidence: Evidence) -> EmotionProbs:
    """Give evidence as a message."""
    return EmotionProbs(
        header=to_header(evidence.stamp_ns, evidence.frame_id),
        source=evidence.source,
        subject_id=evidence.subject_id,
        probabilities=np.asarray(evidence.probabilities, np.float32),
        quality=float(evidence.quality),
        quality_terms=[QualityTerm(name=name, value=float(value)) for name, value in evidence.quality_terms.items()],
        quality_reason=evidence.quality_reason,
        evidence_start=to_stamp(evidence.start_ns),
        is_final=evidence.is_final,
        mouth_motion=float(evidence.mouth_motion),
        model=evidence.model,
    )


def to_evidence(msg: EmotionProbs) -> Evidence:
    """
    Give a message as evidence.

    :raises InputError: when its numbers cannot be used.
    """
    evidence = Evidence(
        stamp_ns=to_ns(msg.header.stamp),
        start_ns=to_ns(msg.evidence_start),
        source=msg.source,
        probabilities=np.asarray(msg.probabilities, np.float64),
        quality=msg.quality,
        quality_terms={term.name: term.value for term in msg.quality_terms},
        quality_reason=msg.quality_reason,
        subject_id=msg.subject_id,
        model=msg.model,
        is_final=msg.is_final,
        frame_id=msg.header.frame_id,
        mouth_motion=getattr(msg, 'mouth_motion', 0.0),  # bags of before have none
    )
    evidence.check()
    return evidence
