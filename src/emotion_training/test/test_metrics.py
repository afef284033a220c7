"""Figures that can be worked out by hand."""

import numpy as np
import pytest

from emotion_training import metrics
from emotion_training.calibration import fit_temperature


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


def test_temperature_of_an_overconfident_model_is_found():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20000, 6))
    gumbel = rng.gumbel(size=logits.shape)
    truth = (logits + gumbel).argmax(axis=1)  # drawn from softmax(logits)
    assert fit_temperature(logits * 3, truth) == pytest.approx(3, rel=0.05)
