"""Stable ids for the faces of successive frames: through short losses, and when two people cross."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from emotion_core.stamps import NS_PER_S
from emotion_face.detector import Box, Detection, overlap

REACH = 0.8  # how far a face may be from where it is expected, in sides of its box ...
REACH_PER_S = 2.0  # ... and how much further for every second since it was seen
MAX_REACH = 2.0
MAX_GROWTH = 2.0  # between two sights of one face
LOOKS_WEIGHT = 1.0  # cost of faces that look nothing alike, in sides of a box
LOOKS_GAIN = 0.2  # share of a new look; slow, so that a passer-by is not learnt
LOOKS_PX = 12
VELOCITY_S = 0.2  # time constant of the measured velocity: boxes jitter by some 5 % from frame to frame
MOMENTUM_S = 0.4  # time constant at which a face that is not seen comes to rest
HIDDEN = 0.3  # overlap with a seen face from which a carried face counts as hidden behind it
LONG_GAP_S = 3.0  # frames further apart than this show other people


@dataclass(eq=False)
class Track:
    """One person's face."""

    seen: Detection  # the newest
    seen_ns: int
    looks: np.ndarray  # unit vector, see ``looks_of``
    detection: Detection = field(init=False)  # ``seen``, carried on to the newest frame
    id: str = ''  # until it is confirmed
    hits: int = 1
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))  # of the box's centre [px/s]
    missed_ns: int | None = None  # stamp of the first frame in which it was missing; None: it is there

    def __post_init__(self):
        """Start where it was found."""
        self.detection = self.seen

    @property
    def is_seen(self) -> bool:
        """Whether it was found in the newest frame."""
        return self.missed_ns is None

    def at(self, stamp_ns: int) -> Detection:
        """Give the face as last seen, moved on to this time."""
        seconds = (stamp_ns - self.seen_ns) / NS_PER_S
        dx, dy = self.velocity * MOMENTUM_S * (1 - np.exp(-seconds / MOMENTUM_S))
        x, y, width, height = self.seen.box
        return replace(
            self.seen,
            box=(x + float(dx), y + float(dy), width, height),
            landmarks=None if self.seen.landmarks is None else self.seen.landmarks + (dx, dy),
        )

    def see(self, detection: Detection, looks: np.ndarray, stamp_ns: int) -> None:
        """Take over that it was found."""
        seconds = (stamp_ns - self.seen_ns) / NS_PER_S
        if seconds > 0:
            measured = (_centre(detection.box) - _centre(self.seen.box)) / seconds
            self.velocity = self.velocity + (1 - np.exp(-seconds / VELOCITY_S)) * (measured - self.velocity)
        self.looks = _unit(self.looks + LOOKS_GAIN * (looks - self.looks))
        self.seen = self.detection = detection
        self.seen_ns, self.missed_ns = stamp_ns, None
        self.hits += 1

    def miss(self, stamp_ns: int) -> None:
        """Take over that it was not found."""
        self.detection = self.at(stamp_ns)
        self.missed_ns = stamp_ns if self.missed_ns is None else self.missed_ns


class Tracker:
    """
    Gives faces ids such as 'f0001'; an id is never given twice.

    Time is that of the stamps, so that a low frame rate changes nothing: a face is lost for as long as frames came in
    which it was missing.
    """

    def __init__(self, confirmations: int = 1, sure: float = 1.0, max_lost: float = 1.0, coast: float = 0.25):
        """
        Start without faces.

        :param confirmations: How often a new face must be found before it gets an id ...
        :param sure: ... unless it is found with this score.
        :param max_lost: A face that was missing for longer than this gets a new id [s].
        :param coast: A face that was missing for less than this is carried on [s].
        """
        self.confirmations = confirmations
        self.sure = sure
        self.max_lost = max_lost
        self._coast = coast
        self._tracks: list[Track] = []
        self._given = 0

    def reset(self) -> None:
        """Forget all faces; ids go on."""
        self._tracks.clear()

    def expected(self, stamp_ns: int) -> list[Box]:
        """Give where the known faces should be at this time."""
        return [track.at(stamp_ns).box for track in self._tracks]

    def update(self, detections: Sequence[Detection], looks: Sequence[np.ndarray], stamp_ns: int) -> list[Track]:
        """
        Take over what was found in a frame.

        :param detections: The faces of the frame.
        :param looks: What each looks like, see ``looks_of``.
        :param stamp_ns: Time of the frame, later than the one before.
        :return: Confirmed faces that were found or are carried on, largest first.
        """
        self._tracks = [track for track in self._tracks if not self._is_over(track, stamp_ns)]
        pairs = self._match(detections, looks, stamp_ns)
        for track in self._tracks:
            if track in pairs:
                track.see(detections[pairs[track]], looks[pairs[track]], stamp_ns)
            else:
                track.miss(stamp_ns)
        matched = set(pairs.values())
        # What was never confirmed gets no second chance.
        self._tracks = [track for track in self._tracks if track.id or track.is_seen]
        self._tracks += [
            Track(detection, stamp_ns, look)
            for index, (detection, look) in enumerate(zip(detections, looks))
            if index not in matched
        ]
        for track in sorted(self._tracks, key=lambda track: track.detection.box[0]):
            if not track.id and (track.hits >= self.confirmations or track.seen.score >= self.sure):
                self._given += 1
                track.id = f'f{self._given:04d}'
        seen = [track.detection.box for track in self._tracks if track.is_seen]
        present = [
            track for track in self._tracks if track.id and (track.is_seen or self._is_carried(track, seen, stamp_ns))
        ]
        return sorted(present, key=lambda track: (-track.detection.box[2] * track.detection.box[3], track.id))

    def _match(self, detections: Sequence[Detection], looks: Sequence[np.ndarray], stamp_ns: int) -> dict[Track, int]:
        """Pair tracks with indices of detections, cheapest first."""
        costs = []
        for number, track in enumerate(self._tracks):
            expected = track.at(stamp_ns).box
            reach = min(MAX_REACH, REACH + REACH_PER_S * max(stamp_ns - track.seen_ns, 0) / NS_PER_S)
            for index, (detection, look) in enumerate(zip(detections, looks)):
                cost = _cost(expected, detection.box, reach)
                if cost is not None:
                    unlike = LOOKS_WEIGHT * (1 - float(track.looks @ look))
                    # A face that has an id goes first: a candidate must not take its place.
                    costs.append((not track.id, cost + unlike, number, index))
        pairs: dict[Track, int] = {}
        for _, _, number, index in sorted(costs):
            if self._tracks[number] not in pairs and index not in pairs.values():
                pairs[self._tracks[number]] = index
        return pairs

    def _is_over(self, track: Track, stamp_ns: int) -> bool:
        if stamp_ns - track.seen_ns > LONG_GAP_S * NS_PER_S:
            return True
        return not track.is_seen and stamp_ns - track.missed_ns > self.max_lost * NS_PER_S

    def _is_carried(self, track: Track, seen: list[Box], stamp_ns: int) -> bool:
        return stamp_ns - track.seen_ns <= self._coast * NS_PER_S and all(
            overlap(track.detection.box, box) < HIDDEN for box in seen
        )


def looks_of(gray: np.ndarray) -> np.ndarray:
    """
    Give what a face looks like, to tell people apart for as long as they cross.

    :param gray: Aligned face, uint8 of shape (height, width).
    :return: Unit vector; 0 for a blank crop.
    """
    small = cv2.resize(gray, (LOOKS_PX, LOOKS_PX), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    return _unit(small - small.mean())


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-6)


def _cost(expected: Box, found: Box, reach: float) -> float | None:
    """Distance and difference in size, in sides of a box; None where it cannot be the same face."""
    size = float(np.sqrt(expected[2] * expected[3]))
    growth = float(np.sqrt(found[2] * found[3])) / size
    if not 1 / MAX_GROWTH < growth < MAX_GROWTH:
        return None
    distance = float(np.hypot(*(_centre(found) - _centre(expected)))) / size
    return distance + abs(float(np.log2(growth))) if distance < reach else None


def _centre(box: Box) -> np.ndarray:
    return np.array((box[0] + box[2] / 2, box[1] + box[3] / 2))
