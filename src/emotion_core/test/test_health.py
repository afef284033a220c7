from emotion_core.health import LOG_EVERY_S, RECENT_S, Health


class FakeClock:
    now = 100.0

    def __call__(self):
        return self.now


def test_problem_is_counted_always_and_logged_seldom():
    clock = FakeClock()
    health = Health(clock)
    assert [health.problem('bad', 'it is bad') for _ in range(3)] == [True, False, False]
    assert health.problem('other', 'another')
    clock.now += LOG_EVERY_S
    assert health.problem('bad', 'it is bad')
    assert health.values()['problem: bad'] == '4'


def test_recent_problem_passes():
    clock = FakeClock()
    health = Health(clock)
    health.problem('bad', 'it is bad')
    assert health.recent_problem == 'it is bad'
    clock.now += RECENT_S
    assert health.recent_problem == ''


def test_counts_and_percentiles():
    clock = FakeClock()
    health = Health(clock)
    assert health.seconds_since('frames') == float('inf')
    health.count('frames')
    clock.now += 2
    assert health.seconds_since('frames') == 2
    for value in range(101):
        health.observe('latency_ms', value)
    values = health.values()
    assert (values['frames'], values['latency_ms_p50'], values['latency_ms_p95']) == ('1', '50.0', '95.0')
