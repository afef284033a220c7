"""Evidence in, fused estimates out; no ROS."""

from dataclasses import dataclass, field, replace

import numpy as np

from emotion_core.emotions import EMOTIONS, UNCERTAIN
from emotion_core.errors import InputError
from emotion_core.evidence import FACE, SPEECH, Evidence
from emotion_core.stamps import NS_PER_S
from emotion_fusion.parameters import FusionParameters
from emotion_fusion.pooling import linear, log_linear
from emotion_fusion.smoothing import LabelSmoother
from emotion_fusion.speaker import LARGEST, MOUTH, NOBODY, ONLY, Loudness, Speaker, Synchrony, choose
from emotion_fusion.timeline import Timeline
from emotion_fusion.weighting import Modality, Weight, exponents, weigh

SOUND = 'sound'
SPEAKER_MARGIN = 1.2  # another face must be this much larger than the speaker's to become the one that speech is for
SIZE_TERM = 'size_px'


@dataclass(frozen=True)
class Fused:
    """One fused estimate, with what went in and what each modality counted."""

    evidence: Evidence  # the fused distribution; quality is that of the inputs, by weight
    is_speaker: bool  # the voice is taken for this subject's
    speaker: Speaker | None  # whose the voice is taken for, and why; None without a voice
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

    Each face has its own estimate. A voice belongs to the face whose mouth moves with it or, where that cannot be told,
    to the one that is largest when it begins. When that face goes, or there is none, the voice has an estimate of its
    own, for nobody. A voice without a face is taken by the next face.
    """

    parameters: FusionParameters = field(default_factory=FusionParameters)

    def __post_init__(self):
        """Begin without evidence."""
        self.reset()

    def reset(self) -> None:
        """Forget all evidence."""
        self._subjects: dict[str, _Subject] = {}
        self._speech = Timeline(int(self.parameters.speech_max_age * NS_PER_S))
        self._voice_smoother = self._make_smoother()
        self._speaker = Speaker()  # whose the voice is taken for; may have left
        self._synchrony = Synchrony()
        self._quiet_ns = 0  # end of the voice before the present one
        self._offset_ns = {FACE: 0, SPEECH: 0, SOUND: 0}

    def configure(self, parameters: FusionParameters) -> None:
        """Go on with other parameters; evidence stays."""
        self.parameters = parameters
        self._speech.max_age_ns = int(parameters.speech_max_age * NS_PER_S)
        self._voice_smoother = self._make_smoother()
        for subject in self._subjects.values():
            subject.face.max_age_ns = int(parameters.face_max_age * NS_PER_S)
            subject.smoother = self._make_smoother()

    def add(self, evidence: Evidence, offset_ns: int = 0) -> None:
        """
        Take evidence of either modality.

        :param offset_ns: How far the clock that ``fuse`` is asked by is ahead of this modality's stamps, where the two
            are different clocks.
        :raises InputError: when it is of another source, or its numbers cannot be used.
        """
        evidence.check()
        if evidence.source == SPEECH:
            self._speaker = self._find_speaker(evidence)
            self._speech.add(evidence)
        elif evidence.source == FACE:
            subject = self._subjects.get(evidence.subject_id)
            if subject is None:
                face = Timeline(int(self.parameters.face_max_age * NS_PER_S))
                subject = self._subjects[evidence.subject_id] = _Subject(face, self._make_smoother())
            subject.face.add(evidence)
            subject.size_px = subject.face.newest.quality_terms.get(SIZE_TERM, 0.0)
            self._synchrony.see(evidence.subject_id, evidence.stamp_ns, evidence.mouth_motion)
            if self._speaker.subject_id == NOBODY:
                self._speaker = Speaker(evidence.subject_id, ONLY)
        else:
            raise InputError(
                'wrong source', f"evidence of source '{evidence.source}' cannot be fused: face and speech can"
            )
        self._offset_ns[evidence.source] = offset_ns

    def hear(self, loudness: Loudness, offset_ns: int = 0) -> None:
        """Take how loud it was; ``offset_ns`` as in ``add``."""
        self._synchrony.hear(loudness)
        self._offset_ns[SOUND] = offset_ns

    @property
    def subjects(self) -> list[str]:
        """Who there are estimates for now: the faces in view, and nobody while there is a voice of none of them."""
        return [*self._subjects, *([NOBODY] if self._speech and self._voice_of() == NOBODY else [])]

    @property
    def speaker(self) -> str:
        """Whose the voice is taken for: a face in view, or NOBODY; without a voice the largest face."""
        return self._voice_of() if self._speech else self._largest()

    def fuse(self, subject_id: str, now_ns: int) -> Fused:
        """
        Give the estimate for one of ``subjects``.

        :param now_ns: The moment it is for; evidence ages until then.
        """
        p = self.parameters
        subject = self._subjects.get(subject_id)
        face = subject.face.recent(int(p.face_window * NS_PER_S)) if subject else None
        speech = self._speech.newest
        is_fixed = p.method == 'fixed'
        modality = Modality('face', p.face_weight, p.face_half_life, p.face_max_age)
        face_weight = weigh(modality, face, now_ns - self._offset_ns[FACE], is_fixed)
        speaker = self.speaker
        if speech is None or subject_id == speaker:
            modality = Modality('voice', p.speech_weight, p.speech_half_life, p.speech_max_age)
            speech_weight = weigh(modality, speech, now_ns - self._offset_ns[SPEECH], is_fixed)
        else:
            owner = speaker or 'somebody out of view'
            speech, speech_weight = None, Weight(0.0, f'the voice is taken for that of {owner}')
        used = [
            (evidence, weight)
            for evidence, weight in ((face, face_weight), (speech, speech_weight))
            if weight.value > 0
        ]
        total = sum(weight.value for _, weight in used)
        if used:
            distributions = [evidence.probabilities for evidence, _ in used]
            if p.method == 'log_linear':
                probabilities = log_linear(distributions, exponents(used))
            else:
                probabilities = linear(distributions, [weight.value for _, weight in used])
            stamp_ns = max(evidence.stamp_ns for evidence, _ in used)
            smoother = subject.smoother if subject else self._voice_smoother
            label, confidence = smoother.update(probabilities, now_ns)
        else:
            probabilities = np.full(len(EMOTIONS), 1 / len(EMOTIONS))
            stamp_ns = max((evidence.stamp_ns for evidence in (face, speech) if evidence), default=now_ns)
            label, confidence = UNCERTAIN, 1 / len(EMOTIONS)
        fused = Evidence(
            stamp_ns=stamp_ns,
            start_ns=min((evidence.start_ns for evidence, _ in used), default=stamp_ns),
            source='fused',
            probabilities=probabilities,
            quality=sum(evidence.quality * weight.value for evidence, weight in used) / total if used else 0.0,
            subject_id=subject_id,
            frame_id=(face or speech).frame_id if face or speech else '',
        )
        return Fused(
            evidence=fused,
            is_speaker=subject_id == speaker,
            speaker=self._speaker if self._speech else None,
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

    def stale(self, now_ns: int) -> list[str]:
        """Give the faces unseen for the maximal age, and NOBODY for a voice unheard for its own, whosever it is."""
        p = self.parameters
        now = {source: now_ns - offset_ns for source, offset_ns in self._offset_ns.items()}
        gone = [
            name
            for name, subject in self._subjects.items()
            if now[FACE] - subject.face.newest.stamp_ns >= p.face_max_age * NS_PER_S
        ]
        silent = self._speech and now[SPEECH] - self._speech.newest.stamp_ns >= p.speech_max_age * NS_PER_S
        return [*gone, *([NOBODY] if silent else [])]

    def forget(self, subject_id: str) -> None:
        """Drop a face, or with NOBODY the voice."""
        if subject_id == NOBODY:
            self._speech = Timeline(int(self.parameters.speech_max_age * NS_PER_S))
            self._voice_smoother = self._make_smoother()
        else:
            del self._subjects[subject_id]

    def _voice_of(self) -> str:
        return self._speaker.subject_id if self._speaker.subject_id in self._subjects else NOBODY

    def _find_speaker(self, voice: Evidence) -> Speaker:
        """Say whose a voice is; one that goes on stays with who has it, unless another's mouth moves with it."""
        newest = self._speech.newest
        goes_on = newest is not None and voice.start_ns < newest.stamp_ns
        if newest is not None and not goes_on:
            self._quiet_ns = newest.stamp_ns
        ahead_ns = self._offset_ns[FACE] - self._offset_ns[SOUND]
        correlations = self._synchrony.correlations(voice.start_ns, voice.stamp_ns, self._quiet_ns, ahead_ns)
        several = len(self._subjects | correlations) > 1
        chosen = choose(correlations) if several else NOBODY
        if chosen != NOBODY:
            return Speaker(chosen, MOUTH, correlations)
        by_mouth = self._speaker.rule == MOUTH
        # What a mouth told of the beginning must hold for the whole.
        if goes_on and self._voice_of() != NOBODY and not (by_mouth and voice.is_final):
            return self._speaker if by_mouth else replace(self._speaker, correlations=correlations)
        if not self._subjects:
            return Speaker()
        return Speaker(self._largest(), LARGEST if several else ONLY, correlations)

    def _largest(self) -> str:
        """Give the largest face: by a margin over the present speaker, so that equals do not take turns."""
        if not self._subjects:
            return NOBODY
        largest = max(self._subjects, key=lambda name: self._subjects[name].size_px)
        present = self._subjects.get(self._speaker.subject_id)
        if present and self._subjects[largest].size_px <= SPEAKER_MARGIN * present.size_px:
            return self._speaker.subject_id
        return largest

    def _make_smoother(self) -> LabelSmoother:
        p = self.parameters
        return LabelSmoother(p.smoothing, p.switch_margin, p.min_confidence)
