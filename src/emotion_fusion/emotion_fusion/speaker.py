"""Whose voice it is: that of the face whose mouth moves with it, as far as that can be told."""

from bisect import insort
from dataclasses import dataclass, field

import numpy as np

from emotion_core.stamps import NS_PER_S

NOBODY = ''  # subject of an estimate that rests on a voice alone

MOUTH = 'its mouth moves with it'
LARGEST = 'largest face'
ONLY = 'only face'
NO_FACE = 'no face'

LEAD_S, TAIL_S = 1.0, 0.2  # looked at before and after a voice: a mouth that moves then too does not belong to it
STEP_S = 0.05  # of the grid on which mouths and voice are compared
SMOOTHING_S = 0.1  # standard deviation of the Gauss filter over both
LAG_S = 0.2  # that sound and picture may be apart, either way: cameras and microphones have delays, and lips come first
RANGE_DB = 30.0  # what is softer than the loudest moment by more counts as silence
KEPT_S = 12.0  # a segment of speech and LEAD_S; longer ones are judged by their end
FEWEST = 8  # frames in which the mouth was seen

# Chosen on other faces and voices than those of docs/evaluation.md, as ``./emotion evaluate --speakers --choose`` does.
CORRELATION = 0.65  # from which a mouth moves with a voice ...
MARGIN = 0.2  # ... when every other mouth has so much less


@dataclass(frozen=True)
class Loudness:
    """How loud it was at a moment."""

    stamp_ns: int
    level_dbfs: float  # [dB relative to full scale]


@dataclass(frozen=True)
class Speaker:
    """Whose a voice is taken for, and why."""

    subject_id: str = NOBODY
    rule: str = NO_FACE  # MOUTH, LARGEST, ONLY or NO_FACE
    correlations: dict[str, float] = field(default_factory=dict)  # of each mouth that was seen with the voice, [-1, 1]

    @property
    def reason(self) -> str:
        """Say whose it is taken for and by which rule, as in 'f0002: its mouth moves with it (r 0.62)'."""
        if self.rule == NO_FACE:
            return NO_FACE
        more = ''
        if self.rule == MOUTH:
            more = f' (r {self.correlations[self.subject_id]:.2f})'
        elif self.rule == LARGEST and self.correlations:
            more = ', as no mouth stands out'
        return f'{self.subject_id}: {self.rule}{more}'


@dataclass
class Synchrony:
    """
    Compares how mouths move with how loud the voice is.

    Speech moves the mouth that it comes from, and the energy of the sound follows the motion (Hershey and Movellan
    2000, 'Audio vision: using audio-visual synchrony to locate sounds'; Nock, Iyengar and Neti 2003, 'Speaker
    localisation using audio-visual synchrony').
    """

    _motion: dict[str, list[tuple[int, float]]] = field(default_factory=dict)  # by face, in the order of stamps
    _level: list[tuple[int, float]] = field(default_factory=list)

    def see(self, subject_id: str, stamp_ns: int, motion: float) -> None:
        """
        Take how much the mouth of a face moved since the frame before.

        :param motion: At least 0, in any unit; 0: unknown.
        """
        if motion > 0:
            _keep(self._motion.setdefault(subject_id, []), stamp_ns, motion)
            oldest_ns = stamp_ns - KEPT_S * NS_PER_S
            self._motion = {name: seen for name, seen in self._motion.items() if seen[-1][0] >= oldest_ns}

    def hear(self, loudness: Loudness) -> None:
        """Take how loud it was."""
        if np.isfinite(loudness.level_dbfs):
            _keep(self._level, loudness.stamp_ns, loudness.level_dbfs)

    def correlations(self, start_ns: int, end_ns: int, quiet_ns: int = 0, ahead_ns: int = 0) -> dict[str, float]:
        """
        Say how well each mouth moves with a voice.

        :param start_ns: When the voice began, by its clock.
        :param end_ns: When it ended.
        :param quiet_ns: End of the voice before it, which may be another's.
        :param ahead_ns: How far the clock of the sound is ahead of that of the pictures.
        :return: Pearson's correlation of mouth motion and level, at the best lag, in [-1, 1], for each face that was
            seen often enough; nothing when the voice does not change.
        """
        reach = round(LAG_S / STEP_S)
        begin_ns, end_ns = max(start_ns - int(LEAD_S * NS_PER_S), quiet_ns), end_ns + int(TAIL_S * NS_PER_S)
        level = [item for item in self._level if begin_ns <= item[0] <= end_ns]
        if len(level) < 2:
            return {}
        times = np.arange(level[0][0], level[-1][0] + 1, int(STEP_S * NS_PER_S), np.int64)
        voice = _smooth(np.maximum(_at(times, level), max(value for _, value in level) - RANGE_DB))
        if np.ptp(voice) < 1e-9:
            return {}
        around = np.concatenate([times[0] + _steps(-reach, 0), times, times[-1] + _steps(1, reach + 1)])
        found = {}
        for name, seen in self._motion.items():
            seen = [(stamp_ns + ahead_ns, motion) for stamp_ns, motion in seen]
            if sum(around[0] <= stamp_ns <= around[-1] for stamp_ns, _ in seen) < FEWEST:
                continue
            motion = _smooth(_at(around, seen))
            found[name] = max(_correlation(voice, motion[first : first + len(voice)]) for first in range(2 * reach + 1))
        return found


def choose(correlations: dict[str, float], least: float = CORRELATION, margin: float = MARGIN) -> str:
    """
    Give the face whose mouth moves with the voice, when it is clear which one that is; otherwise NOBODY.

    :param least: From which correlation a mouth moves with a voice ...
    :param margin: ... when every other mouth has so much less.
    """
    first, second = sorted([*correlations.values(), -1.0, -1.0], reverse=True)[:2]
    if first < least or first - second < margin:
        return NOBODY
    return max(correlations, key=correlations.get)


def _keep(items: list[tuple[int, float]], stamp_ns: int, value: float) -> None:
    insort(items, (stamp_ns, value))
    oldest_ns = items[-1][0] - KEPT_S * NS_PER_S
    while items[0][0] < oldest_ns:
        del items[0]


def _steps(first: int, end: int) -> np.ndarray:
    return np.arange(first, end) * int(STEP_S * NS_PER_S)


def _at(times: np.ndarray, items: list[tuple[int, float]]) -> np.ndarray:
    stamps, values = zip(*items)
    return np.interp((times - stamps[0]).astype(float), np.subtract(stamps, stamps[0]).astype(float), values)


def _smooth(values: np.ndarray) -> np.ndarray:
    spread = SMOOTHING_S / STEP_S
    reach = int(np.ceil(3 * spread))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / spread) ** 2)
    return np.convolve(np.pad(values, reach, mode='edge'), weights / weights.sum(), mode='valid')


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / scale if scale > 1e-12 else 0.0
