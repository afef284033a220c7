from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from emotion_core.errors import InputError, ModelError
from emotion_core.evidence import Evidence
from emotion_core.messages import to_evidence, to_ns, to_probs, to_stamp
from emotion_core.reliability import Reliability, Scaling, fade


def evidence(**changes):
    values = dict(
        stamp_ns=1_700_000_000_123_456_789,
        start_ns=1_700_000_000_000_000_001,
        source='face',
        probabilities=np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1]),
        quality=0.75,
        quality_terms={'sharpness': 0.5},
        quality_reason='blurred',
        subject_id='f0001',
        model='m@12345678',
        frame_id='camera',
        is_final=False,
        mouth_motion=2.5,
    )
    return Evidence(**(values | changes))


def test_message_round_trip_keeps_everything_to_the_nanosecond():
    before, after = evidence(), to_evidence(to_probs(evidence()))
    np.testing.assert_allclose(after.probabilities, before.probabilities, atol=1e-7)
    for name in (
        'stamp_ns',
        'start_ns',
        'source',
        'quality',
        'quality_terms',
        'quality_reason',
        'subject_id',
        'model',
        'frame_id',
        'is_final',
        'mouth_motion',
    ):
        assert getattr(after, name) == getattr(before, name)
    assert to_ns(to_stamp(before.stamp_ns)) == before.stamp_ns


def test_a_message_of_before_there_was_mouth_motion_is_read():
    msg = to_probs(evidence())
    old = SimpleNamespace(
        **{name: getattr(msg, name) for name in msg.get_fields_and_field_types() if 'mouth' not in name}
    )
    assert to_evidence(old).mouth_motion == 0


@pytest.mark.parametrize(
    'changes',
    [
        {'probabilities': np.full(6, np.nan)},
        {'probabilities': np.full(6, 0.5)},
        {'probabilities': np.full(5, 0.2)},
        {'probabilities': np.array([1.5, -0.5, 0, 0, 0, 0])},
        {'quality': float('nan')},
        {'quality': 1.1},
        {'mouth_motion': float('nan')},
        {'mouth_motion': float('inf')},
        {'mouth_motion': -1.0},
        {'source': 'face', 'subject_id': ''},
    ],
)
def test_what_cannot_be_used_is_refused(changes):
    with pytest.raises(InputError):
        evidence(**changes).check()


def test_reliability_is_a_logistic_regression_on_standardised_terms():
    fit = Reliability(0.0, {'sharpness': {'mean': 1.0, 'scale': 2.0, 'coefficient': 1.0}})
    assert fit({'sharpness': 1.0}) == 0.5
    assert fit({'sharpness': 3.0}) == pytest.approx(1 / (1 + np.exp(-1)))
    assert fit({'sharpness': 1e9}) == pytest.approx(1 / (1 + np.exp(-3)))  # clipped at 3 standard deviations
    assert fit({}) == fit({'sharpness': float('nan')}) == 0.5
    assert Reliability.from_json(asdict(fit)) == fit


def test_reason_names_what_lowers_the_quality_most():
    fit = Reliability(
        0.0,
        {
            'sharpness': {'mean': 0.5, 'scale': 0.1, 'coefficient': 0.5},
            'brightness': {'mean': 0.5, 'scale': 0.1, 'coefficient': -0.3},
            'size_px': {'mean': 100.0, 'scale': 50.0, 'coefficient': 1.0},
        },
    )
    phrases = {'sharpness': ('blurred', ''), 'brightness': ('dark', 'glaring'), 'size_px': ('{size_px:.0f} px', '')}
    assert fit.reason({'sharpness': 0.4, 'brightness': 0.7, 'size_px': 34.0}, phrases) == '34 px, glaring, blurred'
    assert fit.reason({'sharpness': 0.6, 'brightness': 0.5, 'size_px': 99.0}, phrases) == ''


def test_reason_is_the_weightiest_where_many_together_lower_the_quality():
    terms = {name: {'mean': 0.0, 'scale': 1.0, 'coefficient': -0.1} for name in 'abc'}
    phrases = {'a': ('', 'dark'), 'b': ('', 'blurred'), 'c': ('', 'small')}
    fit = Reliability(0.0, terms)
    assert fit.reason({'a': 0.9, 'b': 1.2, 'c': 1.0}, phrases) == 'blurred'
    assert fit.reason({'a': 0.9, 'b': 1.2, 'c': 0.0}, phrases) == ''  # -0.21 in all


P = np.array([0.5, 0.2, 0.1, 0.1, 0.05, 0.05])
SHARPNESS = {'sharpness': {'mean': 0.5, 'scale': 0.1, 'coefficient': 0.4}}


def scaling(exponents=(1.0,) * 6, biases=(0.0,) * 6, terms=SHARPNESS):
    return Scaling(exponents, biases, terms)


def test_scaling_flattens_what_a_bad_input_says_and_keeps_its_order():
    sharp, mean, blurred = (scaling()(P, {'sharpness': value}) for value in (0.6, 0.5, 0.4))
    np.testing.assert_allclose(mean, P)
    np.testing.assert_allclose(sharp, P**1.4 / (P**1.4).sum())
    np.testing.assert_allclose(blurred, P**0.6 / (P**0.6).sum())
    np.testing.assert_allclose(scaling()(P, {}), P)  # a term that is not there


def test_exponent_never_turns_an_opinion_round():
    assert (scaling().exponents_at({'sharpness': -9.0}) == 0).all()
    np.testing.assert_allclose(scaling()(P, {'sharpness': -9.0}), np.full(6, 1 / 6))


def test_emotions_are_believed_by_their_own_exponents_and_biases():
    told = scaling(exponents=(2.0, 1, 1, 1, 1, 1), terms={})(P, {})
    assert told[0] > P[0] and told[1] / told[2] == pytest.approx(2)
    told = scaling(biases=(0.0, np.log(3), 0, 0, 0, 0), terms={})(P, {})
    assert told[1] / told[0] == pytest.approx(3 * P[1] / P[0])


def test_trust_scales_and_rates_and_survives_the_card():
    fit = Reliability(0.0, SHARPNESS, scaling())
    told = fit.trust(P, {'sharpness': 0.4}, {'sharpness': ('blurred', '')})
    np.testing.assert_allclose(told.probabilities, scaling()(P, {'sharpness': 0.4}))
    assert told[1:] == (fit({'sharpness': 0.4}), 'blurred')
    assert Reliability.from_json(asdict(fit)) == fit
    assert Reliability(0.0, SHARPNESS).trust(P, {}, {}).probabilities is P


def test_what_is_right_no_more_often_than_a_guess_says_nothing():
    np.testing.assert_allclose(fade(P, 1 / 6), np.full(6, 1 / 6))
    np.testing.assert_allclose(fade(P, 0.05), np.full(6, 1 / 6))
    np.testing.assert_allclose(fade(P, 1 / 3), P)
    np.testing.assert_allclose(fade(P, 0.9), P)
    confidence = [fade(P, quality).max() for quality in np.linspace(1 / 6, 1 / 3, 9)]
    assert (np.diff(confidence) > 0).all()
    doubtful = Reliability(np.log(1 / 5), {}, scaling())  # right as often as a guess
    np.testing.assert_allclose(doubtful.trust(P, {}, {}).probabilities, np.full(6, 1 / 6))


def test_card_with_a_broken_scaling_is_refused():
    broken = asdict(Reliability(0.0, {}, scaling(biases=(0.0,) * 5)))
    with pytest.raises(ModelError, match='six emotions'):
        Reliability.from_json(broken)
