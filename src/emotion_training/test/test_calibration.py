import numpy as np
import pytest

from emotion_training.calibration import fit_temperature


def test_temperature_of_an_overconfident_model_is_found():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20000, 6))
    gumbel = rng.gumbel(size=logits.shape)
    truth = (logits + gumbel).argmax(axis=1)  # drawn from softmax(logits)
    assert fit_temperature(logits * 3, truth) == pytest.approx(3, rel=0.05)
