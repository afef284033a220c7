import numpy as np
import pytest
import rclpy  # noqa: F401  (the bench listens to a running graph)

from emotion_bringup.bench import GAP_S, bench, describe, latencies_from, true_ends, write_input
from emotion_bringup.graph import LaunchError
from emotion_drivers import scenario


def test_utterances_follow_each_other_with_their_gaps():
    ends = true_ends([(1.0, 3.0), (0.5, 2.0)], start=100.0, until=106.0)
    np.testing.assert_allclose(ends, [101.0, 103.5, 106.0, 108.5])


def test_latency_counts_from_the_true_end_and_pauses_do_not_count():
    ends = np.array([101.0, 103.5])
    heard = [(101.1, 101.4), (102.2, 102.5), (103.4, 103.8)]  # the second result is of a pause inside the utterance
    assert latencies_from(ends, heard) == pytest.approx([400.0, 300.0])
    assert latencies_from(np.array([]), heard) == []


def test_times_are_told_and_so_is_that_there_are_none():
    assert describe([10.0, 10.0, 20.0]) == '10 / 19 ms'
    assert describe([]) == 'none came: measure for longer'


def test_file_that_cannot_be_written_is_found_before_the_measurement(tmp_path):
    with pytest.raises(LaunchError, match='cannot write .*nowhere/x.json'):
        bench(5.0, str(tmp_path / 'nowhere' / 'x.json'))


def test_input_ends_where_its_sound_ends(tmp_path):
    schedule = write_input(tmp_path)
    assert len(schedule) == len(scenario.UTTERANCES)
    assert all(0.5 < end <= length - GAP_S for end, length in schedule)
    assert len(list((tmp_path / 'images').iterdir())) > 1
