"""The fit makes distributions mean what they say, under each quality, and gains nothing from what it has seen."""

import numpy as np
import pytest

from emotion_core import metrics
from emotion_core.emotions import log_odds, softmax
from emotion_fusion.pooling import log_linear
from emotion_training.scaling_fit import OUT, Worse, choose_scaling, cross_scaled, fit_scaling, log_loss


def _expert(truth: np.ndarray, rng: np.random.Generator, by_emotion: bool = False) -> Worse:
    """Give what an expert says who is too sure, most of all of noise, and may say emotion 0 too often."""
    clear = rng.random(len(truth))
    strength = 3.0 * clear[:, None]
    # Log-likelihoods of a shift by their own variance: their softmax is calibrated.
    honest = strength * np.eye(6)[truth] + np.sqrt(strength) * rng.normal(size=(len(truth), 6))
    said = softmax(honest / (0.3 + 0.5 * clear[:, None]))
    if by_emotion:
        said = softmax(log_odds(said) + np.array([2.0, 0, 0, 0, 0, 0]))
    terms = [{'clear': value} for value in clear]
    return Worse(said, terms, truth, np.arange(len(truth)) % 4, np.ones(len(truth)))


def _apply(fit, data: Worse) -> np.ndarray:
    return np.array([fit(p, terms) for p, terms in zip(data.probabilities, data.terms)])


@pytest.fixture(scope='module')
def truth():
    return np.random.default_rng(1).integers(6, size=1500)


@pytest.fixture(scope='module')
def experts(truth):
    return [_expert(truth, np.random.default_rng(seed)) for seed in (2, 3)]


def test_expert_alone_comes_out_calibrated_and_flat_where_it_knows_nothing(experts, truth):
    (data, _), fit = experts, fit_scaling(experts[0], 10.0, OUT)
    scaled = _apply(fit, data)
    assert metrics.calibration_error(truth, data.probabilities) > 0.1
    assert metrics.calibration_error(truth, scaled) < 0.03
    assert fit.terms['clear']['coefficient'] > 0.1 and len({round(value, 4) for value in fit.exponents}) == 1
    assert fit(data.probabilities[0], {'clear': 0.0}).max() < fit(data.probabilities[0], {'clear': 1.0}).max()


def test_calibrated_experts_multiply_to_a_calibrated_and_better_one(experts, truth):
    one, other = (_apply(fit_scaling(data, 10.0, OUT), data) for data in experts)
    both = np.array([log_linear(pair, (1, 1)) for pair in zip(one, other)])
    alone = max(metrics.macro_f1(truth, rows.argmax(axis=1)) for rows in (one, other))
    assert metrics.macro_f1(truth, both.argmax(axis=1)) > alone + 0.05
    assert metrics.calibration_error(truth, both) < 0.04


def test_emotion_that_is_said_too_often_is_believed_less(truth):
    data = _expert(truth, np.random.default_rng(4), by_emotion=True)
    fit = fit_scaling(data, 10.0, 10.0)
    assert fit.biases[0] < min(fit.biases[1:]) - 0.2
    assert log_loss(data, _apply(fit, data)) < log_loss(data, _apply(fit_scaling(data, 10.0, OUT), data)) - 0.01


def test_rare_emotions_count_as_much_as_frequent_ones(truth):
    often = np.flatnonzero((truth == 0) | (np.arange(len(truth)) % 5 == 0))
    data = _expert(truth[often], np.random.default_rng(5))
    biases = np.array(fit_scaling(data, 10.0, 10.0).biases)
    assert np.abs(biases).max() < 0.35  # and not log 5: the prior is left out


def test_penalties_are_chosen_by_groups_that_the_fit_has_not_seen(truth):
    rng = np.random.default_rng(6)
    data = _expert(truth[:400], rng)
    shift = rng.normal(0, 2.0, size=(4, 6))  # each person says other emotions too often
    data = data._replace(probabilities=softmax(log_odds(data.probabilities) + shift[data.groups]))
    _, scaled, figures = choose_scaling(data)
    told = figures['held_out']
    learned_people = log_loss(data, cross_scaled(data, OUT, 10.0))
    assert learned_people > told['one exponent']['log_loss'] + 0.01
    assert figures['penalties']['quality'] < OUT and figures['penalties'].get('emotion', OUT) >= 1000
    assert told[figures['chosen']]['log_loss'] == min(row['log_loss'] for row in told.values())
    assert told[figures['chosen']]['log_loss'] == pytest.approx(log_loss(data, scaled), abs=1e-4)
