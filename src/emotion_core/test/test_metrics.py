"""Figures that can be worked out by hand."""

import numpy as np
import pytest

from emotion_core import metrics


def test_report_of_a_perfect_classifier():
    truth = np.array([0, 1, 2, 3, 4, 5, 5])
    figures = metrics.report(truth, np.eye(6)[truth])
    assert (figures['n'], figures['accuracy'], figures['macro_f1'], figures['calibration_error']) == (7, 1, 1, 0)
    assert figures['recall'] == dict.fromkeys(('angry', 'fear', 'happy', 'neutral', 'sad', 'surprise'), 1.0)
    assert figures['chance'] == {'accuracy': 0.1667}
    assert figures['majority'] == {
        'label': 'surprise',
        'accuracy': 0.2857,
        'macro_f1': pytest.approx(4 / 9 / 6, abs=1e-4),
    }


def test_macro_f1_counts_each_class_the_same():
    truth, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    assert metrics.macro_f1(truth, predicted) == pytest.approx((0.8 + 2 / 3) / 2)


def test_class_that_does_not_occur_is_left_out():
    figures = metrics.report(np.array([0, 0, 2, 2]), np.eye(6)[[0, 0, 2, 0]])
    assert set(figures['recall']) == {'angry', 'happy'}
    assert figures['balanced_accuracy'] == 0.75
    assert figures['chance'] == {'accuracy': 0.5}


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    probabilities = np.tile([0.8, 0.2, 0, 0, 0, 0], (10, 1))
    assert metrics.calibration_error(np.array([0] * 8 + [1] * 2), probabilities) == pytest.approx(0)
    assert metrics.calibration_error(np.array([0] * 5 + [1] * 5), probabilities) == pytest.approx(0.3)


def test_precision_recall_and_f1_of_a_class():
    table = metrics.per_class(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2]))
    assert table == {
        'angry': {'precision': 1.0, 'recall': 0.6667, 'f1': 0.8, 'support': 3},
        'fear': {'precision': 0.5, 'recall': 0.5, 'f1': 0.5, 'support': 2},
    }


def test_bins_hold_every_row_once():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(6), 500)
    bins = metrics.calibration_bins(rng.integers(6, size=500), probabilities)
    assert sum(b['n'] for b in bins) == 500
    assert sum(b['n'] * b['confidence'] for b in bins) == pytest.approx(probabilities.max(axis=1).sum())


def test_interval_of_independent_rows_is_that_of_the_binomial_distribution():
    truth = np.repeat([0, 1], 500)
    predicted = np.where(np.arange(1000) % 5 == 0, 1 - truth, truth)  # 80 % right
    low, high = metrics.interval(truth, predicted, np.arange(1000))['accuracy']
    half = 1.96 * (0.8 * 0.2 / 1000) ** 0.5
    assert (low, high) == (pytest.approx(0.8 - half, abs=0.004), pytest.approx(0.8 + half, abs=0.004))


def test_interval_draws_sources_and_not_rows():
    truth = np.zeros(400, int)
    predicted = np.repeat([0, 0, 1, 1], 100)  # two sources are always right, two never
    bounds = metrics.interval(truth, predicted, np.repeat(['a', 'b', 'c', 'd'], 100))
    assert bounds['accuracy'] == [0, 1] and bounds['sources'] == 4
    assert metrics.interval(truth, predicted, np.arange(400))['accuracy'] == pytest.approx([0.45, 0.55], abs=0.01)


def test_intervals_of_few_sources_are_said_to_be_too_narrow():
    truth = np.repeat([0, 1], 20)
    few, many = (metrics.report(truth, np.eye(6)[truth], np.arange(40) % sources) for sources in (9, 10))
    assert metrics.caution([many, few], 'speakers') == 'Intervals of fewer than 10 speakers are too narrow for 95 %.'
    assert metrics.caution([many, {}], 'speakers') == ''


def test_interval_is_that_of_a_plain_bootstrap():
    rng = np.random.default_rng(1)
    truth, sources = rng.integers(6, size=600), rng.integers(30, size=600)
    predicted = np.where(rng.random(600) < 0.4 + sources / 60, truth, rng.integers(6, size=600))
    rows = [np.flatnonzero(sources == s) for s in range(30)]
    drawn = [np.concatenate([rows[s] for s in rng.integers(30, size=30)]) for _ in range(1000)]
    plain = np.percentile([metrics.macro_f1(truth[d], predicted[d]) for d in drawn], [2.5, 97.5])
    assert metrics.interval(truth, predicted, sources)['macro_f1'] == pytest.approx(plain, abs=0.01)


def test_report_has_equal_intervals_at_each_call_and_none_for_one_source():
    truth = np.array([0, 1, 2, 3, 4, 5] * 5)
    probabilities = np.eye(6)[np.roll(truth, 1) // 2 * 2]
    first, second = (metrics.report(truth, probabilities, np.arange(30)) for _ in range(2))
    assert first == second and first['interval']['macro_f1'][0] <= first['macro_f1'] <= first['interval']['macro_f1'][1]
    assert 'interval' not in metrics.report(truth, probabilities, np.zeros(30))
    assert 'interval' not in metrics.report(truth, probabilities)


def test_interval_of_a_difference_is_about_the_same_rows():
    rng = np.random.default_rng(0)
    truth = rng.integers(6, size=600)
    one = np.where(rng.random(600) < 0.7, truth, rng.integers(6, size=600))
    other = np.where(rng.random(600) < 0.3, rng.integers(6, size=600), one)
    sources = np.arange(600) % 40
    assert metrics.difference_interval(truth, one, one, sources) == [0, 0]
    low, high = metrics.difference_interval(truth, one, other, sources)
    difference = metrics.macro_f1(truth, one) - metrics.macro_f1(truth, other)
    assert 0 < low < difference < high
    assert metrics.difference_interval(truth, other, one, sources) == pytest.approx([-high, -low], abs=5e-3)


def test_calibration_error_of_calibrated_probabilities_is_what_chance_makes_of_it():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(6), 400)
    few, many = (metrics.calibration_error_if_calibrated(np.tile(probabilities, (n, 1))) for n in (1, 16))
    assert 0.02 < few < 0.08 and many == pytest.approx(few / 4, rel=0.35)


def test_auroc_of_order_reverse_and_ties():
    right = np.array([False, False, True, True])
    assert metrics.auroc(np.array([1, 2, 3, 4]), right) == 1
    assert metrics.auroc(np.array([4, 3, 2, 1]), right) == 0
    assert metrics.auroc(np.array([1, 1, 1, 1]), right) == 0.5
    assert metrics.auroc(np.array([1, 3, 2, 4]), right) == 0.75
