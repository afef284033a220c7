import numpy as np
import pytest

from emotion_core.stamps import NS_PER_S
from emotion_speech.ring_buffer import RingBuffer, StreamClock


@pytest.mark.parametrize('block', [1, 7, 64, 99, 100, 101, 350])
def test_the_newest_samples_are_held_and_found_by_index(block):
    ring, samples = RingBuffer(100), np.arange(1000, dtype=np.float32)
    for start in range(0, 1000, block):
        ring.append(samples[start : start + block])
        first = max(0, ring.end - 100)
        assert ring.start == first
        np.testing.assert_array_equal(ring[first : ring.end], samples[first : ring.end])
    assert ring.end == 1000
    np.testing.assert_array_equal(ring[905:910], samples[905:910])


def test_what_is_no_longer_or_not_yet_held_is_left_out():
    ring = RingBuffer(100)
    ring.append(np.arange(150, dtype=np.float32))
    np.testing.assert_array_equal(ring[0:60], np.arange(50, 60))
    np.testing.assert_array_equal(ring[140:200], np.arange(140, 150))
    assert len(ring[0:10]) == 0


def clock_of(delays_s: list[float], block_s: float = 0.02, start_ns: int = 10**18) -> StreamClock:
    """Give a clock that took one block per delay, each stamped that much late."""
    clock = StreamClock()
    for number, delay in enumerate(delays_s):
        clock.advance(start_ns + int((number * block_s + delay) * NS_PER_S), block_s)
    return clock


def test_jitter_of_the_stamps_moves_the_clock_little():
    delays = np.random.default_rng(0).exponential(0.01, 500).clip(0, 0.05)
    assert clock_of(list(delays)).at(5.0) == pytest.approx(10**18 + 5 * NS_PER_S, abs=0.01 * NS_PER_S)


def test_blocks_that_come_late_in_a_bunch_do_not_move_the_clock():
    delays = [0.0] * 50 + [0.4 - 0.02 * number for number in range(20)] + [0.0]
    assert clock_of(delays).at(1.0) == 10**18 + NS_PER_S


def test_a_first_block_that_came_late_is_corrected_by_the_next():
    assert clock_of([0.2, 0.0]).at(0) == 10**18


def test_a_sound_card_that_runs_slow_is_followed():
    drift = 2e-4
    delays = [number * 0.02 * drift for number in range(5000)]
    assert clock_of(delays).lateness_s(10**18 + int(100 * (1 + drift) * NS_PER_S)) < 0.005


def test_a_missing_block_is_seen_in_the_stamp_of_the_next():
    clock = clock_of([0.0] * 10)
    assert clock.lateness_s(10**18 + int(0.2 * NS_PER_S)) == pytest.approx(0, abs=1e-6)
    assert clock.lateness_s(10**18 + int(0.5 * NS_PER_S)) == pytest.approx(0.3, abs=1e-6)
