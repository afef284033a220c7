"""The held expression and the utterance as one estimate."""

from dataclasses import replace

from emotion_core.evidence import Evidence
from emotion_fusion.fuser import Fused, Fuser
from emotion_fusion.parameters import FusionParameters


def pair(face: Evidence, speech: Evidence, parameters: FusionParameters) -> Fused:
    """
    Fuse a face and a voice of one person, whose age does not matter: they belong together.

    :param face: The expression that was held.
    :param speech: The utterance after it.
    :param parameters: Method and configured weights.
    """
    fuser = Fuser(parameters)
    same_moment = replace(face, stamp_ns=speech.stamp_ns, start_ns=speech.stamp_ns)
    fuser.add(same_moment)
    fuser.add(speech)
    fused = fuser.fuse(face.subject_id, speech.stamp_ns)
    return replace(
        fused,
        evidence=replace(fused.evidence, start_ns=face.start_ns),
        face=fused.face and face,
    )
