"""The fit finds what quality tells, and is measured on groups that it has not seen."""

import numpy as np
import pytest

from emotion_core.metrics import auroc
from emotion_training.reliability_fit import cross_fit, fit_reliability


def _data(count: int = 4000):
    rng = np.random.default_rng(0)
    snr, useless = rng.uniform(-5, 20, count), rng.normal(size=count)
    right = rng.random(count) < 1 / (1 + np.exp(-(snr - 5) / 4))
    return [{'snr_db': a, 'useless': b, 'fixed': 1.0} for a, b in zip(snr, useless)], right


def test_fit_finds_the_term_that_matters_and_its_slope():
    terms, right = _data()
    fit = fit_reliability(terms, right, np.zeros(len(right)), np.ones(len(right)))
    assert set(fit.terms) == {'snr_db', 'useless'}  # 'fixed' tells nothing
    slope = fit.terms['snr_db']['coefficient'] / fit.terms['snr_db']['scale']
    assert slope == pytest.approx(1 / 4, rel=0.1)
    assert abs(fit.terms['useless']['coefficient']) < 0.1
    assert fit({'snr_db': 20, 'useless': 0}) > 0.9 > 0.2 > fit({'snr_db': -5, 'useless': 0})


def test_weights_count():
    terms = [{'x': 0.0}, {'x': 1.0}] * 50
    right = np.array([True, True] * 25 + [False, False] * 25)
    fit = fit_reliability(terms, right, np.zeros(100), np.array([3.0] * 50 + [1.0] * 50))
    assert fit({'x': 0.5}) == pytest.approx(0.75, abs=0.01)


def test_group_that_is_quiet_and_easy_does_not_make_quiet_a_good_sign():
    rng = np.random.default_rng(0)
    easy = np.arange(4000) % 2 == 0
    level = rng.normal(0, 1, 4000) - 3 * easy
    right = rng.random(4000) < 1 / (1 + np.exp(-(0.5 * level + 4 * easy - 1)))  # in each group louder is better
    fit = fit_reliability([{'level': x} for x in level], right, easy, np.ones(4000))
    assert fit({'level': 0}) > fit({'level': -2})


def test_group_is_predicted_by_a_fit_that_has_not_seen_it():
    terms = [{'x': float(i % 2)} for i in range(200)]
    groups = np.array([0] * 100 + [1] * 100)
    right = np.array([i % 2 == 0 for i in range(100)] + [i % 2 == 1 for i in range(100)])  # opposite rules
    chance, base = cross_fit(terms, right, groups, np.ones(200))
    assert auroc(chance, right) < 0.05
    assert base == pytest.approx(0.5)
