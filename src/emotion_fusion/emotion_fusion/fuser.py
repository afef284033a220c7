"""Evidence in, fused estimates out; no ROS."""

from dataclasses import dataclass, field

import numpy as np

from emotion_core.emotions import EMOTIONS, UNCERTAIN
from emotion_core.errors import InputError
from emotion_core.evidence import Evidence
from emotion_fusion.parameters import FusionParameters
from emotion_fusion.pooling import linear, log_linear
from emotion_fusion.smoothing import LabelSmoother
from emotion_fusion.timeline import Timeline
from emotion_fusion.weighting import Modality, Weight, weigh

NS_PER_S = 1_000_000_000
FACE, SPEECH = 'face', 'speech'
NOBODY = ''  # subject of an estimate that rests on a voice alone
SPEAKER_MARGIN = 1.2  # another face must be this much larger than the speaker's to become the one that speech is for
SIZE_TERM = 'size_px'


@dataclass(frozen=True)
class Fused:
    """One fused estimate, with what went in and what each modality counted."""

    evidence: Evidence  # the fused distribution; quality is that of the inputs, by weight
    is_speaker: bool  # the voice is taken for this subject's
    face: Evidence | None
    speech: Evidence | None
    face_weight: float  # sum 1 with speech_weight, or both 0
    speech_weight: float
    face_reason: str
    speech_reason: str
    method: str
    label: str
    confidence: float


@dataclass
class _Subject:
    face: Timeline
    smoother: LabelSmoother
    size_px: float = 0.0


@dataclass
class Fuser:
    """
    Fuses the faces in view with the voice that is heard.

    Each face has its own estimate; the voice belongs to the largest face, and to nobody where there is none.
    """

    parameters: FusionParameters = field(default_factory=FusionParameters)

    def __post_init__(self):
        self.reset()

    def reset(self) -> None:
        """Forget all evidence."""
        p = self.parameters
        self._subjects: dict[str, _Subject] = {}
        self._speech = Timeline(int(p.speech_max_age * NS_PER_S))
        self._voice_smoother = self._smoother()
        self._speaker = NOBODY
        self._newest_ns = 0

    def _smoother(self) -> LabelSmoother:
        p = self.parameters
        return LabelSmoother(p.smoothing, p.switch_margin, p.min_confidence)

    def add(self, evidence: Evidence) -> None:
        """
        Take evidence of either modality.

        :raises InputError: when it is of another source, or its numbers cannot be used.
        """
        evidence.check()
        if evidence.source == SPEECH:
            self._speech.add(evidence)
        elif evidence.source == FACE:
            subject = self._subjects.get(evidence.subject_id)
            if subject is None:
                face = Timeline(int(self.parameters.face_max_age * NS_PER_S))
                subject = self._subjects[evidence.subject_id] = _Subject(face, self._smoother())
            subject.face.add(evidence)
            subject.size_px = subject.face.newest.quality_terms.get(SIZE_TERM, 0.0)
        else:
            raise InputError(
                'wrong source', f"evidence of source '{evidence.source}' cannot be fused: face and speech can"
            )
        self._newest_ns = max(self._newest_ns, evidence.stamp_ns)

    @property
    def subjects(self) -> list[str]:
        """Who there are estimates for now: the faces in view, or nobody when there is only a voice."""
        return list(self._subjects) or ([NOBODY] if self._speech else [])

    def choose_speaker(self) -> str:
        """Give the face that the voice is taken for: the largest, by a margin, so that equals do not take turns."""
        if not self._subjects:
            return NOBODY
        largest = max(self._subjects, key=lambda name: self._subjects[name].size_px)
        current = self._subjects.get(self._speaker)
        if current is None or self._subjects[largest].size_px > SPEAKER_MARGIN * current.size_px:
            self._speaker = largest
        return self._speaker

    def fuse(self, subject_id: str, now_ns: int) -> Fused:
        """
        Give the estimate for one of ``subjects``.

        :param now_ns: The moment it is for; evidence ages until then.
        """
        p = self.parameters
        subject = self._subjects.get(subject_id)
        face = subject.face.recent(int(p.face_window * NS_PER_S)) if subject else None
        speech = self._speech.newest
        by_quality = p.method != 'fixed'
        face_weight = weigh(Modality('face', p.face_weight, p.face_half_life, p.face_max_age), face, now_ns, by_quality)
        speaker = self.choose_speaker()
        is_speaker = subject_id == speaker
        if is_speaker:
            voice = Modality('voice', p.speech_weight, p.speech_half_life, p.speech_max_age)
            speech_weight = weigh(voice, speech, now_ns, by_quality)
        else:
            speech, speech_weight = None, Weight(0.0, f'the voice is taken for that of {speaker}')
        used = [
            (evidence, weight.value)
            for evidence, weight in ((face, face_weight), (speech, speech_weight))
            if weight.value > 0
        ]
        total = sum(weight for _, weight in used)
        if used:
            pool = log_linear if p.method == 'log_linear' else linear
            probabilities = pool([evidence.probabilities for evidence, _ in used], [weight for _, weight in used])
            stamp_ns = max(evidence.stamp_ns for evidence, _ in used)
            smoother = subject.smoother if subject else self._voice_smoother
            label, confidence = smoother.update(probabilities, now_ns)
        else:
            probabilities = np.full(len(EMOTIONS), 1 / len(EMOTIONS))
            stamp_ns = max((evidence.stamp_ns for evidence in (face, speech) if evidence), default=self._newest_ns)
            label, confidence = UNCERTAIN, 1 / len(EMOTIONS)
        fused = Evidence(
            stamp_ns=stamp_ns,
            start_ns=min((evidence.start_ns for evidence, _ in used), default=stamp_ns),
            source='fused',
            probabilities=probabilities,
            quality=sum(evidence.quality * weight for evidence, weight in used) / total if used else 0.0,
            subject_id=subject_id,
            frame_id=(face or speech).frame_id if face or speech else '',
        )
        return Fused(
            evidence=fused,
            is_speaker=is_speaker,
            face=face if face_weight.value > 0 else None,
            speech=speech if speech_weight.value > 0 else None,
            face_weight=face_weight.value / total if used else 0.0,
            speech_weight=speech_weight.value / total if used else 0.0,
            face_reason=face_weight.reason,
            speech_reason=speech_weight.reason,
            method=p.method,
            label=label,
            confidence=confidence,
        )

    def forget_stale(self, now_ns: int) -> None:
        """Drop the faces that have not been seen, and the voice that has not been heard, for their maximal age."""
        p = self.parameters
        self._subjects = {
            name: subject
            for name, subject in self._subjects.items()
            if now_ns - subject.face.newest.stamp_ns < p.face_max_age * NS_PER_S
        }
        if self._speech and now_ns - self._speech.newest.stamp_ns >= p.speech_max_age * NS_PER_S:
            self._speech = Timeline(int(p.speech_max_age * NS_PER_S))
            self._voice_smoother = self._smoother()
