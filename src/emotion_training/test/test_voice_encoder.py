"""The encoder of voices hears what its weights were learned for, and weighs frames by loudness; no data needed."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch, which running a model does not')

from emotion_training import voice_encoder  # noqa: E402
from emotion_training.errors import TrainingError  # noqa: E402
from emotion_training.voice_encoder import VoiceEncoder, VoiceSpectrum  # noqa: E402

RATE = 16000


def _tone(hz: float, seconds: float = 1.0) -> torch.Tensor:
    time = torch.arange(int(seconds * RATE)) / RATE
    return (0.05 * 2**0.5 * torch.sin(2 * torch.pi * hz * time))[None]


@pytest.mark.parametrize('hz, band', [(200, 2), (500, 6), (1000, 13), (2000, 22), (4000, 31)])
def test_tone_is_in_its_band_of_the_slaney_scale(hz, band):
    power = VoiceSpectrum()(_tone(hz))[0].exp().mean(1)
    assert power.argmax() == band
    assert power[band - 1 : band + 2].sum() > 0.98 * power.sum()


def test_white_noise_has_the_same_power_in_all_bands():
    """Each filter has one area: the power in a band is a density, and that of noise is flat."""
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.05, (1, 60 * RATE)).astype(np.float32))
    power = VoiceSpectrum()(noise)[0].exp().mean(1)
    # Power of the windowed samples at -30 dBFS: sum of the squared window is 3 / 8 of it; bins are 40 Hz apart.
    assert power.numpy() == pytest.approx(np.full(40, 1e-3 * 3 / 8 * 400 / 40), rel=0.35)
    assert power[20:].numpy() == pytest.approx(np.full(20, power[20:].mean()), rel=0.06)


def test_code_hardly_changes_by_silence_after_the_voice():
    torch.manual_seed(0)
    encoder, spectrum = VoiceEncoder().eval(), VoiceSpectrum()
    voice = torch.cat([_tone(hz, 0.3) for hz in (150, 400, 900)], dim=1)
    quiet = torch.from_numpy(np.random.default_rng(0).normal(0, 1e-5, (1, RATE)).astype(np.float32))
    with torch.inference_mode():
        alone, longer = encoder(spectrum(voice)), encoder(spectrum(torch.cat([voice, quiet], dim=1)))
    assert alone.shape == (1, VoiceEncoder.CODE)
    assert (alone - longer).abs().max() < 0.02 < alone.abs().max()


def test_pretrained_weights_are_fetched_and_checked(pretrained, monkeypatch):
    encoder = VoiceEncoder()
    before = encoder.lstm.weight_hh_l1.clone()
    encoder.load_pretrained()
    assert not torch.equal(before, encoder.lstm.weight_hh_l1)
    monkeypatch.setattr(voice_encoder, 'FILE_SHA256', 64 * '0')
    with pytest.raises(TrainingError, match='is another file than it was: sha256 39373b8'):
        encoder.load_pretrained()


def test_weights_that_cannot_be_fetched_get_a_sentence(monkeypatch):
    monkeypatch.setattr(voice_encoder, 'WHEEL', 'no-such-package-of-emotion-ros==1')
    with pytest.raises(TrainingError, match='cannot be fetched from PyPI: '):
        VoiceEncoder().load_pretrained()
