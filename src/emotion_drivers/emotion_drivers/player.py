"""Play a file on a time line: each frame and block at its time; a clock that jumps back raises ClockJumped."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from emotion_core.stamps import NS_PER_S
from emotion_drivers.timeline import PlayClock, Timeline

LATE_NS = NS_PER_S // 20  # a frame this late is dropped, as a camera would
SHOW_EVERY_NS = NS_PER_S // 2  # but one is shown this often, however slow the machine is
LOST_NS = 2 * NS_PER_S  # when this late, seeking beats catching up


@dataclass(frozen=True)
class Frame:
    """An image of shape (height, width, 3), uint8 BGR, and when it was taken."""

    stamp_ns: int
    image: np.ndarray


@dataclass(frozen=True)
class Block:
    """Samples of shape (samples, channels), int16, and when the first was taken."""

    stamp_ns: int
    samples: np.ndarray


class Pictures(Protocol):
    """What can be played as video."""

    duration_ns: int

    def pictures(self, start_ns: int) -> Iterator[tuple[int, Callable[[], np.ndarray]]]:
        """Give position [ns] and decoder of each picture from ``start_ns`` on, in order."""


class Samples(Protocol):
    """What can be played as audio."""

    duration_ns: int
    sample_rate: int
    channels: int

    def samples(self, start: int) -> Iterator[np.ndarray]:
        """Give int16 arrays of shape (samples, channels), without a gap, beginning exactly with sample ``start``."""


def play_frames(video: Pictures, timeline: Timeline, clock: PlayClock) -> Iterator[Frame]:
    """Give each frame when it is due, until the file ends or the clock is stopped."""
    place = timeline.locate(clock.now_ns() - LATE_NS)
    shown_ns = 0
    while place and not clock.stopped:
        lap_ns, position_ns = place
        for pts_ns, decode in video.pictures(position_ns):
            if pts_ns >= timeline.duration_ns:
                continue
            due_ns = lap_ns + pts_ns
            now_ns = clock.now_ns()
            if now_ns - due_ns > LATE_NS and 0 <= now_ns - shown_ns < SHOW_EVERY_NS:
                continue
            image = decode()  # before it is due, so that it is on time
            now_ns = clock.wait_until(due_ns)
            if now_ns is None:
                break
            yield Frame(due_ns, image)
            shown_ns = now_ns
            if now_ns - due_ns > LOST_NS:
                break
        else:
            clock.wait_until(lap_ns + timeline.duration_ns)
            place = timeline.next_lap(lap_ns)
            continue
        place = timeline.locate(clock.now_ns() - LATE_NS)  # it was lost


def play_blocks(sound: Samples, timeline: Timeline, clock: PlayClock, block_samples: int) -> Iterator[Block]:
    """Give each block when its last sample is due; the last of a lap may be shorter, missing samples are silence."""
    rate = sound.sample_rate
    total = timeline.duration_ns * rate // NS_PER_S
    place = timeline.locate(clock.now_ns() - LATE_NS)
    while place and not clock.stopped:
        lap_ns, position_ns = place
        # On the grid of blocks, so that a driver that is started again gives the blocks it would have given.
        index = -(-position_ns * rate // (NS_PER_S * block_samples)) * block_samples
        for samples in _blocks(sound, index, total, block_samples):
            due_ns = lap_ns + (index + len(samples)) * NS_PER_S // rate
            now_ns = clock.wait_until(due_ns)
            if now_ns is None or now_ns - due_ns > LOST_NS:
                break
            yield Block(lap_ns + index * NS_PER_S // rate, samples)
            index += len(samples)
        else:
            clock.wait_until(lap_ns + timeline.duration_ns)
            place = timeline.next_lap(lap_ns)
            continue
        place = timeline.locate(clock.now_ns() - LATE_NS)  # it was lost


def _blocks(sound: Samples, index: int, total: int, size: int) -> Iterator[np.ndarray]:
    """Cut samples ``index`` to ``total`` into blocks, filling up with silence where the sound is shorter."""

    def pieces() -> Iterator[np.ndarray]:
        yield from sound.samples(index)
        while True:
            yield np.zeros((size, sound.channels), np.int16)

    pending = np.zeros((0, sound.channels), np.int16)
    source = pieces()
    while index < total:
        wanted = min(size, total - index)
        while len(pending) < wanted:
            pending = np.concatenate((pending, next(source)))
        yield pending[:wanted]
        pending = pending[wanted:]
        index += wanted
