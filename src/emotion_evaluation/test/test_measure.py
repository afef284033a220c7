"""Figures of small runs that can be counted by hand."""

import numpy as np
import pytest

from emotion_core.emotions import EMOTIONS
from emotion_core.evidence import Evidence
from emotion_evaluation.compare import compare
from emotion_evaluation.ground_truth import Interval
from emotion_evaluation.measure import assign, figures, sample
from emotion_evaluation.offline import Frame, Run, fuse
from emotion_fusion.parameters import FusionParameters

S, MS = 1_000_000_000, 1_000_000
START = 1_700_000_000 * S


def evidence(source, label, start, stamp, subject='f0001', sure=0.9):
    probabilities = np.full(6, (1 - sure) / 5)
    probabilities[EMOTIONS.index(label)] = sure
    return Evidence(stamp, start, source, probabilities, 0.8, {'size_px': 100.0}, subject_id=subject)


def make_run(seconds, labels, tracks=('f0001',)):
    """A frame every 100 ms; ``labels`` maps a second to what is seen then, None is no face."""
    run = Run(START, START + seconds * S)
    for step in range(seconds * 10):
        stamp = START + step * 100 * MS
        label = labels(step / 10)
        faces = () if label is None else tuple((evidence('face', label, stamp, stamp, t), (0, 0, 9, 9)) for t in tracks)
        run.frames.append(Frame(stamp + 5 * MS, stamp, faces))
    return run


def measured(run, truth):
    run.fused = list(fuse(run, FusionParameters()))
    return figures(sample(run, truth, FusionParameters()))


def test_right_for_half_of_the_time_is_half():
    run = make_run(4, lambda t: 'happy' if t < 2 else 'sad')
    row = measured(run, [Interval(START, START + 4 * S, '', 'happy')])['rows']['face']
    assert row['n'] == 39 and row['coverage'] == 0.975  # at the very first moment nothing is known yet
    assert row['accuracy'] == pytest.approx(20 / 39, abs=1e-4)
    assert row['confusion'][2] == [0, 0, 20, 0, 19, 0]
    assert row['flicker'] == pytest.approx(60 / 3.9, abs=0.01)
    assert row['lock'] == {'share': 1.0, 'seconds': 0.1}


def test_face_that_went_is_no_answer_once_it_is_stale():
    run = make_run(6, lambda t: 'happy' if t < 2 else None)
    row = measured(run, [Interval(START, START + 6 * S, '', 'happy')])['rows']['face']
    assert row['coverage'] == pytest.approx((20 - 1 + 15) / 60, abs=0.02)
    assert row['accuracy'] == 1


def test_voice_counts_from_when_it_is_known_and_utterances_are_counted():
    run = Run(START, START + 5 * S)
    run.speech = [(START + 2 * S, evidence('speech', 'sad', START + S // 2, START + 3 * S // 2, ''))]
    table = measured(run, [Interval(START, START + 5 * S, '', 'sad')])
    assert table['rows']['speech']['coverage'] == 0.6 and table['rows']['speech']['accuracy'] == 1
    assert 'n' not in table['rows']['face'] and table['rows']['face']['coverage'] == 0
    assert (table['utterances']['n'], table['utterances']['accuracy']) == (1, 1)
    assert table['rows']['label']['lock']['share'] == 1


def test_tracks_go_to_who_was_there_while_they_were():
    run = make_run(10, lambda t: 'happy' if t < 4 or t > 5.5 else None)
    late = make_run(10, lambda t: 'sad' if t > 7 else None, ('f0002',))
    for frame, other in zip(run.frames, late.frames):
        object.__setattr__(frame, 'faces', frame.faces + other.faces)
    truth = [Interval(START, START + 10 * S, 'anna', 'happy'), Interval(START + 7 * S, START + 10 * S, 'ben', 'sad')]
    assert assign(run, truth) == {'f0001': 'anna', 'f0002': 'ben'}
    table = measured(run, truth)
    assert table['rows']['face']['accuracy'] == 1  # each is asked about the own face
    assert table['frames']['accuracy'] == 1


def test_faces_that_are_there_together_are_two_people():
    run = make_run(6, lambda t: 'happy', ('f0001', 'f0002'))
    truth = [Interval(START, START + 6 * S, name, 'happy') for name in ('anna', 'ben')]
    assert assign(run, truth) == {'f0001': 'anna', 'f0002': 'ben'}


def test_subject_who_is_never_seen_is_not_given_the_face_and_voice_of_another():
    run = make_run(4, lambda t: 'happy')
    run.speech = [(START + 2 * S, evidence('speech', 'happy', START + S // 2, START + 3 * S // 2, ''))]
    truth = [Interval(START, START + 4 * S, 'f0001', 'happy'), Interval(START, START + 4 * S, 'ben', 'sad')]
    table = measured(run, truth)
    for row in ('face', 'speech', 'fused', 'label'):
        assert table['rows'][row]['coverage'] <= 0.5 and table['rows'][row]['accuracy'] == 1, row


def test_face_of_a_bystander_is_not_measured_by_the_label_of_another():
    run = make_run(4, lambda t: 'happy')
    beside = make_run(4, lambda t: 'sad', ('f0002',))
    for frame, other in zip(run.frames, beside.frames):
        object.__setattr__(frame, 'faces', frame.faces + other.faces)
    table = measured(run, [Interval(START, START + 4 * S, 'anna', 'happy')])
    assert (table['frames']['n'], table['frames']['accuracy']) == (40, 1)


def test_face_that_is_found_again_under_another_id_is_asked_and_the_old_one_no_more():
    run = make_run(4, lambda t: 'happy' if t < 2 else None)
    again = make_run(4, lambda t: 'sad' if t >= 2 else None, ('f0002',))
    for frame, other in zip(run.frames, again.frames):
        object.__setattr__(frame, 'faces', frame.faces + other.faces)
    row = measured(run, [Interval(START, START + 4 * S, 'anna', 'sad')])['rows']['label']
    assert row['flicker'] == pytest.approx(60 / 3.9, abs=0.01)  # once, though both estimates come for a while


def test_calibration_of_the_label_is_that_of_its_confidence():
    run = make_run(4, lambda t: 'happy' if t < 2 or t > 2.5 else 'sad')
    rows = measured(run, [Interval(START, START + 4 * S, '', 'sad')])['rows']
    row, said = rows['label'], []
    for step in range(40):
        known = [fused for known_ns, fused in run.fused if known_ns <= START + step * 100 * MS]
        if known and known[-1].label != 'uncertain':
            said.append((known[-1].confidence, known[-1].label == 'sad'))
    confidence, right = np.mean(said, axis=0)
    for name, mean in (('confidence', confidence), ('accuracy', right)):
        assert sum(b['n'] * b[name] for b in row['bins']) / row['n'] == pytest.approx(mean, abs=1e-3), name
    assert len(row['bins']) > 2 and row['accuracy'] == pytest.approx(right, abs=1e-3)
    assert row['calibration_error'] == pytest.approx(
        sum(b['n'] * abs(b['confidence'] - b['accuracy']) for b in row['bins']) / row['n'], abs=1e-3
    )


def test_no_truth_no_figures():
    assert sample(make_run(1, lambda t: 'sad'), [], FusionParameters()).truth == []


def evaluation(accuracy, seconds, p95=None):
    row = {'accuracy': accuracy, 'coverage': 1.0, 'lock': {'share': 1.0, 'seconds': seconds}}
    live = {'live': {'face_ms': {'p95': p95}}} if p95 else {}
    return {'all': {'bags': 1, 'against_truth': {'rows': {'face': row}}, **live}}


def test_compare_tells_worse_from_past_the_threshold():
    changes = {c.name: c for c in compare(evaluation(0.6, 1.0, 50.0), evaluation(0.59, 1.3, 45.0), 0.02)}
    assert (changes['face accuracy'].better, changes['face accuracy'].is_past) == (-0.01, False)
    assert (changes['face lock seconds'].better, changes['face lock seconds'].is_past) == (-0.3, True)
    assert changes['live face ms p95'].better == 5.0 and not changes['live face ms p95'].is_past


def test_figure_that_was_nothing_may_get_a_little_worse():
    (change,) = (c for c in compare(evaluation(0.6, 0.0), evaluation(0.6, 0.09)) if c.name == 'face lock seconds')
    assert (change.better, change.is_past) == (-0.09, False)
    (change,) = (c for c in compare(evaluation(0.6, 0.0), evaluation(0.6, 0.11)) if c.name == 'face lock seconds')
    assert change.is_past


def test_figure_that_is_gone_is_past_the_threshold_and_a_new_one_is_not():
    changes = {c.name: c for c in compare(evaluation(0.6, 1.0, 50.0), evaluation(0.6, 1.0))}
    assert changes['live face ms p95'].is_past
    changes = {c.name: c for c in compare(evaluation(0.6, 1.0), evaluation(0.6, 1.0, 50.0))}
    assert not changes['live face ms p95'].is_past
