from itertools import islice

import numpy as np
import pytest
from virtual_clock import VirtualClock

from emotion_core.stamps import NS_PER_S
from emotion_drivers.player import play_blocks, play_frames
from emotion_drivers.timeline import ClockJumped, Timeline

MS = NS_PER_S // 1000
START_NS = 1000 * NS_PER_S


class Counting:
    """A video whose pictures, one every 100 ms, hold their number; decoding takes ``cost_ms`` of the clock."""

    duration_ns = NS_PER_S

    def __init__(self, clock=None, cost_ms=0):
        self._clock, self._cost_ns = clock, cost_ms * MS

    def pictures(self, start_ns):
        for index in range(10):
            if index * 100 * MS >= start_ns:
                if self._clock:
                    self._clock.time_ns += self._cost_ns
                yield index * 100 * MS, lambda index=index: np.full((1, 1, 3), index, np.uint8)


class Ramp:
    """A sound of 1000 Hz whose samples hold their number."""

    sample_rate = 1000
    channels = 1

    def __init__(self, samples=1000, duration_ns=NS_PER_S):
        self._samples = np.arange(samples, dtype=np.int16)[:, np.newaxis]
        self.duration_ns = duration_ns

    def samples(self, start):
        for first in range(start, len(self._samples), 70):
            yield self._samples[first : first + 70]


def played(frames):
    return [((frame.stamp_ns - START_NS) // MS, int(frame.image[0, 0, 0])) for frame in frames]


def test_frames_are_stamped_with_start_and_position_exactly():
    frames = played(play_frames(Counting(), Timeline(START_NS, NS_PER_S), VirtualClock(990)))
    assert frames == [(100 * index, index) for index in range(10)]


def test_no_frame_comes_before_its_time():
    clock, count = VirtualClock(990), 0
    for count, frame in enumerate(play_frames(Counting(), Timeline(START_NS, NS_PER_S), clock), 1):
        assert frame.stamp_ns <= clock.now_ns() < frame.stamp_ns + MS
    assert count == 10


def test_a_loop_goes_on_without_a_gap():
    frames = played(islice(play_frames(Counting(), Timeline(START_NS, NS_PER_S, loop=True), VirtualClock(1000)), 25))
    assert frames == [(100 * index, index % 10) for index in range(25)]


def test_a_driver_that_is_started_midway_goes_on_at_the_right_place():
    frames = played(play_frames(Counting(), Timeline(START_NS, NS_PER_S), VirtualClock(1000.63)))
    assert frames == [(600, 6), (700, 7), (800, 8), (900, 9)]
    frames = played(islice(play_frames(Counting(), Timeline(START_NS, NS_PER_S, loop=True), VirtualClock(1007.08)), 2))
    assert frames == [(7100, 1), (7200, 2)]


def test_a_file_that_has_ended_gives_nothing():
    assert played(play_frames(Counting(), Timeline(START_NS, NS_PER_S), VirtualClock(1002))) == []
    assert list(play_blocks(Ramp(), Timeline(START_NS, NS_PER_S), VirtualClock(1002), 50)) == []


def test_a_slow_machine_shows_fewer_frames_but_some_and_with_their_own_stamps():
    clock = VirtualClock(1000)
    timeline = Timeline(START_NS, NS_PER_S, loop=True)
    frames = played(islice(play_frames(Counting(clock, cost_ms=150), timeline, clock), 10))
    assert all(stamp // 100 % 10 == index for stamp, index in frames)
    steps = np.diff([stamp for stamp, _ in frames])
    assert steps.max() <= 700


def test_a_clock_that_jumps_back_ends_the_playing():
    clock = VirtualClock(1000)
    playing = play_frames(Counting(), Timeline(START_NS, NS_PER_S, loop=True), clock)
    next(playing)
    clock.sleep = lambda seconds: setattr(clock, 'time_ns', START_NS - NS_PER_S) or True
    with pytest.raises(ClockJumped):
        next(playing)


def test_nothing_comes_after_stop():
    clock = VirtualClock(1000)
    playing = play_frames(Counting(), Timeline(START_NS, NS_PER_S, loop=True), clock)
    next(playing)
    clock.stop()
    assert list(playing) == []


@pytest.mark.parametrize('size', [1, 50, 64, 999, 1000, 3000])
def test_blocks_hold_every_sample_once_stamped_by_their_first(size):
    blocks = list(play_blocks(Ramp(), Timeline(START_NS, NS_PER_S), VirtualClock(999), size))
    assert np.array_equal(np.concatenate([block.samples for block in blocks])[:, 0], np.arange(1000))
    assert all((block.stamp_ns - START_NS) // MS == block.samples[0, 0] for block in blocks)


def test_a_block_comes_when_its_last_sample_was_taken():
    clock, count = VirtualClock(999), 0
    for count, block in enumerate(play_blocks(Ramp(), Timeline(START_NS, NS_PER_S), clock, 50), 1):
        assert clock.now_ns() == block.stamp_ns + 50 * MS
    assert count == 20


def test_looped_sound_keeps_to_the_duration_of_its_clip():
    timeline = Timeline(START_NS, 1250 * MS, loop=True)  # the video is longer than the sound
    blocks = list(islice(play_blocks(Ramp(), timeline, VirtualClock(1000), 100), 26))
    assert [(block.stamp_ns - START_NS) // MS for block in blocks] == [*range(0, 1250, 100), *range(1250, 2500, 100)]
    assert len(blocks[12].samples) == 50  # the rest of the lap
    assert not blocks[11].samples.any()
    assert blocks[13].samples[1, 0] == 1


def test_sound_that_is_started_midway_keeps_the_grid_of_blocks():
    block = next(play_blocks(Ramp(), Timeline(START_NS, NS_PER_S), VirtualClock(1000.333), 50))
    assert (block.stamp_ns - START_NS) // MS == block.samples[0, 0] == 300
