"""Functionals are what they say, and a voice is standardised by what is known of it; no data needed."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch, which running a model does not')

from emotion_training.functionals import TAKEN, Functionals, Pitch, SerMember, fit_population, without_emotion
from emotion_training.networks import LogMel
from emotion_training.ser import known_rows

RATE = 16000
COUNT = SerMember.COUNT


def _voice(hz: float, seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    """Give a buzz of falling harmonics whose loudness goes up and down, with a little noise."""
    time = np.arange(int(seconds * RATE)) / RATE
    harmonics = sum(np.sin(2 * np.pi * k * hz * time) / k for k in range(1, int(6000 / hz)))
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * time)
    return (0.05 * harmonics * swell + np.random.default_rng(seed).normal(0, 1e-4, len(time))).astype(np.float32)


def _functionals(samples: np.ndarray) -> np.ndarray:
    batch = torch.from_numpy(samples)[None]
    with torch.inference_mode():
        return Functionals(80)(batch, LogMel(80)(batch))[0].numpy()


@pytest.mark.parametrize('hz', [75, 110, 180, 260, 390])
def test_pitch_of_a_buzz_is_its_fundamental(hz):
    with torch.inference_mode():
        pitch, periodicity, _ = Pitch()(torch.from_numpy(_voice(hz))[None])
    assert Pitch.LOW_HZ * 2 ** pitch[0].median().item() == pytest.approx(hz, rel=0.02)
    assert periodicity.median() > 0.9


def test_noise_is_not_periodic():
    noise = np.random.default_rng(0).normal(0, 0.05, RATE).astype(np.float32)
    with torch.inference_mode():
        _, periodicity, _ = Pitch()(torch.from_numpy(noise)[None])
    assert periodicity.median() < 0.4


def test_functionals_are_counted_and_change_little_by_silence_around():
    voice = _voice(150)
    alone = _functionals(voice)
    assert alone.shape == (Functionals.COUNT,) and np.isfinite(alone).all()
    quiet = np.random.default_rng(1).normal(0, 1e-4, RATE // 4).astype(np.float32)
    between = _functionals(np.concatenate([quiet, voice, quiet]))
    assert np.abs(between[:160] - alone[:160]).mean() < 0.2  # natural logarithm of power; bands differ by ten
    assert np.isfinite(_functionals(np.zeros(RATE // 2, np.float32))).all()


def test_a_new_voice_is_seen_against_all_people_and_a_known_one_against_itself():
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(40), 50)
    own = rng.normal(0, 2, (40, COUNT))
    said = (5 + own[speakers] + rng.normal(0, 1, (len(speakers), COUNT))).astype(np.float32)
    population = fit_population(said, np.tile(np.arange(6), len(speakers))[: len(speakers)], speakers)
    assert population.within.mean() == pytest.approx(1 / 5, rel=0.1)
    assert population.between.mean() == pytest.approx(4 / 5, rel=0.1)

    network = SerMember(population)
    one = torch.from_numpy(said[:1])
    nothing = torch.zeros(1, COUNT)
    new = network.relative(one, nothing, nothing, torch.zeros(1, 1))
    expected = (said[0] - population.mean) / population.deviation / np.sqrt(population.within + population.between)
    assert new[0].numpy() == pytest.approx(np.clip(expected, -4, 4), abs=1e-3)

    theirs = torch.from_numpy(said[speakers == 0])
    known = network.relative(one, theirs.mean(0)[None], theirs.square().mean(0)[None], torch.full((1, 1), 1e6))
    expected = (said[0] - theirs.mean(0).numpy()) / theirs.numpy().std(0)
    assert known[0].numpy() == pytest.approx(np.clip(expected, -4, 4), abs=0.02)


def test_what_emotions_add_is_told_from_who_speaks_and_taken_away():
    rng = np.random.default_rng(0)
    speakers, labels = np.repeat(np.arange(40), 60), np.tile(np.arange(6), 400)
    added = rng.normal(0, 1, (6, COUNT))
    added -= added.mean(0)
    own = rng.normal(0, 2, (40, COUNT))
    said = (own[speakers] + added[labels] + rng.normal(0, 0.1, (len(speakers), COUNT))).astype(np.float32)
    often_angry = (labels > 0) | (rng.random(len(labels)) < 0.3) | (speakers % 2 == 0)
    lacks_fear = (labels != 1) | (speakers != 7)
    chosen = often_angry & lacks_fear
    population = fit_population(said[chosen], labels[chosen], speakers[chosen])
    assert population.emotions == pytest.approx(added, abs=0.05)

    angry = said[(speakers == 3) & (labels == 0)]
    kept = without_emotion(angry, np.eye(6)[[0]], population.emotions)
    assert kept.mean(0) == pytest.approx(own[3] + (1 - TAKEN) * added[0], abs=0.2)


def test_rows_know_a_speaker_from_what_is_remembered_of_all_other_utterances():
    said = np.arange(4 * COUNT, dtype=np.float32).reshape(4, COUNT)
    voices = said[::-1]
    rows = known_rows(said, voices, ['a', 'a', 'b', 'a'])
    assert rows.shape == (4, SerMember.INPUT) and rows[:, -1].tolist() == [2, 2, 0, 2]
    assert (rows[:, :COUNT] == said).all()
    assert rows[0, COUNT : 2 * COUNT] == pytest.approx(voices[[1, 3]].mean(axis=0))
    assert rows[0, 2 * COUNT : -1] == pytest.approx((voices[[1, 3]] ** 2).mean(axis=0))
    assert not rows[2, COUNT:].any()


def test_what_was_heard_of_others_says_nothing_of_a_new_voice():
    network = SerMember().eval()
    functionals, junk = torch.randn(2, COUNT), torch.randn(1, COUNT)
    nothing = torch.zeros(1, COUNT)
    with torch.inference_mode():
        one = network.embed(functionals, nothing, nothing, torch.zeros(1, 1))
        other = network.embed(functionals, junk, junk.square(), torch.zeros(1, 1))
    assert torch.allclose(one, other, atol=1e-5) and not one[:, network.HIDDEN :].any()
