"""Voices drawn as the fit believes that they are: utterances scatter around a voice, and voices around a corpus."""

import numpy as np
import pytest

from emotion_training.voice_change import DIRECTIONS, FALSE_ALARMS, VoiceChangeFit, fit_voice_change

BANDS = 80


def draw(rng: np.random.Generator, speakers: int, each: int, apart: float) -> tuple[np.ndarray, np.ndarray]:
    """Give spectra (n, BANDS) and who they are of; voices differ in a few smooth directions, by ``apart``."""
    band = np.linspace(0, np.pi, BANDS)
    smooth = np.cos(np.outer(np.arange(1, 24), band))
    voices = rng.normal(0, apart, (speakers, 4)) @ smooth[:4]
    names = np.repeat(np.arange(speakers), each)
    level = rng.normal(0, 3, (len(names), 1))  # of the whole: tells nothing
    return voices[names] + rng.normal(0, 1, (len(names), 23)) @ smooth + level, names


def trials(
    fit: VoiceChangeFit, spectra: np.ndarray, names: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Give the log-odds of another utterance of a voice, and of one of another's, after eight of it."""
    same, other = [], []
    for name in np.unique(names):
        mine, others = np.flatnonzero(names == name), np.flatnonzero(names != name)
        for _ in range(60):
            row, *before = rng.permutation(mine)[:9]
            reference = spectra[before].mean(axis=0)
            for rows, scores in ((row, same), (rng.choice(others), other)):
                scores.append(fit.log_odds(spectra[[rows]], reference, np.array([8]), np.array([2.5]))[0])
    return np.array(same), np.array(other)


@pytest.fixture(scope='module')
def fitted():
    spectra, names = draw(np.random.default_rng(1), 24, 60, 3.0)
    return fit_voice_change(spectra, np.full(len(names), 2.5), names, names % 2)


def test_few_utterances_of_voices_never_heard_are_taken_for_anothers_and_most_of_others_are(fitted):
    rng = np.random.default_rng(2)
    same, other = trials(fitted, *draw(rng, 20, 40, 3.0), rng)
    assert (same > 0).mean() < 3 * FALSE_ALARMS
    assert (other > 0).mean() > 0.8


def test_voices_that_are_alike_are_not_told_apart(fitted):
    rng = np.random.default_rng(3)
    same, other = trials(fitted, *draw(rng, 20, 40, 0.1), rng)
    assert (other > 0).mean() < 3 * FALSE_ALARMS


def test_directions_do_not_see_the_level(fitted):
    assert fitted.directions.shape == (BANDS, DIRECTIONS)
    assert fitted.directions.sum(axis=0) == pytest.approx(0, abs=1e-6)
    assert (np.diff(fitted.spread) <= 0).all() and (fitted.spread > 0).all()


def test_short_utterance_and_a_voice_hardly_known_need_to_differ_more(fitted):
    spectra, _ = draw(np.random.default_rng(4), 2, 1, 12.0)
    reference = spectra[1]

    def score(heard: int, seconds: float) -> float:
        return fitted.log_odds(spectra[:1], reference, np.array([heard]), np.array([seconds]))[0]

    assert score(20, 2.5) > score(20, 1.0) > score(20, 0.5)
    assert score(20, 2.5) > score(3, 2.5) > score(1, 2.5)
