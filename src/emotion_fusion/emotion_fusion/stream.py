"""When there is something new to say: evidence in as it arrives, estimates out; the clock is the caller's."""

from emotion_core.evidence import SPEECH, Evidence
from emotion_core.stamps import NS_PER_S, other_clock_ns
from emotion_fusion.fuser import Fused, Fuser
from emotion_fusion.parameters import FusionParameters
from emotion_fusion.speaker import Loudness

TICK_S = 0.2  # how often estimates age without new evidence


class FusionStream:
    """Gives an estimate for a subject whenever there is new evidence about it, and while evidence ages."""

    def __init__(self, parameters: FusionParameters):
        """Begin without evidence."""
        self._fuser = Fuser(parameters)
        self._given_ns: dict[str, int] = {}

    def configure(self, parameters: FusionParameters) -> None:
        """Go on with other parameters; evidence stays."""
        self._fuser.configure(parameters)

    def reset(self) -> None:
        """Forget all evidence."""
        self._fuser.reset()
        self._given_ns.clear()

    def take(self, evidence: Evidence, now_ns: int) -> Fused:
        """
        Take evidence that has just arrived, and give the estimate that it changes.

        :raises InputError: when it is of another source, or its numbers cannot be used.
        """
        self._fuser.add(evidence, other_clock_ns(evidence.stamp_ns, now_ns))
        return self._give(self._fuser.speaker if evidence.source == SPEECH else evidence.subject_id, now_ns)

    def hear(self, loudness: Loudness, now_ns: int) -> None:
        """Take how loud it is, which tells whose voice the next evidence of speech is."""
        self._fuser.hear(loudness, other_clock_ns(loudness.stamp_ns, now_ns))

    def tick(self, now_ns: int) -> list[Fused]:
        """Give the estimates that have aged, and forget what is stale; to be called every TICK_S."""
        stale = self._fuser.stale(now_ns)
        # Half a period: the last estimate came a little after a tick.
        fused = [
            self._give(subject_id, now_ns)
            for subject_id in self._fuser.subjects
            if subject_id in stale or now_ns - self._given_ns.get(subject_id, 0) >= TICK_S * NS_PER_S / 2
        ]
        for subject_id in stale:
            self._fuser.forget(subject_id)
        kept = self._fuser.subjects
        self._given_ns = {name: ns for name, ns in self._given_ns.items() if name in kept}
        return fused

    def _give(self, subject_id: str, now_ns: int) -> Fused:
        self._given_ns[subject_id] = now_ns
        return self._fuser.fuse(subject_id, now_ns)
