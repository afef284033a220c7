import threading
import time

import pytest
from virtual_clock import VirtualClock

from emotion_core.stamps import NS_PER_S
from emotion_drivers.backoff import Backoff
from emotion_drivers.timeline import ClockJumped, PlayClock, Timeline


def test_position_is_the_time_since_the_start():
    assert Timeline(100, 50).locate(130) == (100, 30)


def test_before_the_start_the_position_is_the_beginning():
    assert Timeline(100, 50).locate(20) == (100, 0)


def test_a_file_that_is_not_looped_ends():
    assert Timeline(100, 50).locate(150) is None
    assert Timeline(100, 50).next_lap(100) is None


def test_a_looped_file_begins_again_after_its_duration():
    line = Timeline(100, 50, loop=True)
    assert line.locate(100 + 3 * 50 + 7) == (250, 7)
    assert line.next_lap(250) == (300, 0)


def test_waiting_ends_when_it_is_time():
    clock = VirtualClock(10)
    assert clock.wait_until(12 * NS_PER_S) == 12 * NS_PER_S


def test_waiting_is_given_up_when_the_clock_jumps_back():
    times = iter([10 * NS_PER_S, 10 * NS_PER_S + 1, 2 * NS_PER_S])
    with pytest.raises(ClockJumped, match='jumped back by 8.000 s'):
        PlayClock(lambda: next(times)).wait_until(11 * NS_PER_S)


def test_a_jump_between_two_waits_is_noticed():
    clock = VirtualClock(10)
    clock.wait_until(11 * NS_PER_S)
    clock.time_ns = 2 * NS_PER_S
    with pytest.raises(ClockJumped):
        clock.wait_until(12 * NS_PER_S)
    assert clock.wait_until(3 * NS_PER_S) == 3 * NS_PER_S


def test_waiting_ends_at_once_when_stopped():
    clock = PlayClock()
    threading.Timer(0.05, clock.stop).start()
    begin = time.monotonic()
    assert clock.wait_until(time.time_ns() + 60 * NS_PER_S) is None
    assert time.monotonic() - begin < 5
    assert clock.stopped


def test_delays_double_up_to_the_longest_and_begin_again_after_success():
    backoff = Backoff(first_s=0.5, longest_s=3.0)
    assert [backoff.next() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.reset()
    assert backoff.next() == 0.5
