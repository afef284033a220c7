"""A network that knows faces: MobileNet v1 (Howard et al. 2017), with weights that learned who a face is."""

import json
from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from emotion_training import pretrained

# HSE's network (Savchenko 2021, Apache-2.0), as Human (MIT) has it: it learned who a face is on VGGFace2, then how old.
PACKAGE = '@vladmandic/human@3.3.6'
FILES = {
    'models/faceres.json': '5b83d49c0385d2e68a05122441b94226313677cae9fcc40b9587ad50079eb4df',
    'models/faceres.bin': '2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b',
}
# Output channels and stride of each block.
BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)
STEM = 32  # channels
CONTRAST = 60.0  # gray levels that it takes for a contrast of 1
MEANS = np.array([103.939, 116.779, 123.68], np.float32)  # of blue, green and red: what it takes for 0


class Convolution(nn.Conv2d):
    """A convolution that learns in float32 where a CPU is far slower in half precision: strided, and by channel."""

    def forward(self, values: Tensor) -> Tensor:
        """As nn.Conv2d."""
        if self.training and self.groups > 1 and self.stride[0] > 1 and values.device.type == 'cpu':
            with torch.autocast('cpu', enabled=False):
                return super().forward(values.float()).to(values.dtype)
        return super().forward(values)


class Layer(nn.Sequential):
    """A convolution whose output is normalised, and kept within [0, 6]."""

    def __init__(self, channels_in: int, channels: int, kernel: int, stride: int = 1, groups: int = 1):
        """Make it with random weights."""
        super().__init__(
            Convolution(channels_in, channels, kernel, stride, kernel // 2, groups=groups),
            nn.BatchNorm2d(channels),
            nn.ReLU6(),
        )


class FaceEncoder(nn.Module):
    """
    The first blocks of MobileNet, each a convolution of every channel and one of all channels at each point.

    The first convolution keeps the resolution, where MobileNet halves it: faces of 48 px need no enlarging.
    """

    def __init__(self, side: int = 48, blocks: int = 11):
        """
        Make the network with random weights.

        :param side: To which faces are resized [px].
        :param blocks: How many, up to 13; the last ones know who a face is, and little of what it does.
        """
        super().__init__()
        self.side = side
        self.stem = Layer(1, STEM, 3)
        self.blocks = nn.Sequential()
        width = STEM
        for channels, stride in BLOCKS[:blocks]:
            self.blocks.append(nn.Sequential(Layer(width, width, 3, stride, width), Layer(width, channels, 1)))
            width = channels
        self.width = width

    def forward(self, faces: Tensor) -> Tensor:
        """Map gray faces (batch, 1, h, w), of mean 0 and contrast 1, to codes (batch, width)."""
        return self.blocks(self.stem(self._fit(faces))).mean((2, 3))

    def _fit(self, faces: Tensor) -> Tensor:
        if faces.shape[-1] != self.side:
            faces = nn.functional.interpolate(faces, size=self.side, mode='bilinear')
        return CONTRAST * faces

    def layers(self) -> Iterator[tuple[str, Layer]]:
        """Give the layers in order, with the names that they have in the file."""
        yield 'conv1', self.stem
        for number, block in enumerate(self.blocks, 1):
            yield f'conv_dw_{number}', block[0]
            yield f'conv_pw_{number}', block[1]

    @torch.no_grad()
    def load_pretrained(self, faces: Tensor) -> None:
        """
        Take over what MobileNet learned.

        :param faces: Some hundred as ``forward`` takes them: the norms are set so that they change nothing on these.
        :raises TrainingError: when the weights cannot be fetched.
        """
        weights = fetch_weights()
        values = self._fit(faces)
        for name, (convolution, norm, activation) in self.layers():
            if name.startswith('conv_dw'):
                kernel = weights[f'{name}/depthwise_kernel'] * weights[f'{name}_bn/batchnorm_1/mul'][:, None]
                kernel = kernel.transpose(2, 3, 0, 1)
            else:
                kernel = weights[f'{name}/convolution/merged_input'].transpose(3, 2, 0, 1)
            bias = weights[f'{name}_bn/batchnorm_1/sub']
            if name == 'conv1':  # gray is the same in all three
                bias = bias + kernel.sum((2, 3)) @ (MEANS.mean() - MEANS)
                kernel = kernel.sum(1, keepdims=True)
            convolution.weight.copy_(torch.from_numpy(kernel))
            convolution.bias.copy_(torch.from_numpy(bias))
            values = convolution(values)
            norm.running_var, norm.running_mean = torch.var_mean(values, (0, 2, 3), correction=0)
            norm.weight.copy_((norm.running_var + norm.eps).sqrt())
            norm.bias.copy_(norm.running_mean)
            values = activation(values)


@cache
def fetch_weights() -> dict[str, np.ndarray]:
    """Fetch what MobileNet learned, once in a process; raises TrainingError when it cannot be had."""
    description, blob = pretrained.from_npm(PACKAGE, FILES)
    weights, place = {}, 0
    for tensor in json.loads(description)['weightsManifest'][0]['weights']:
        dtype = np.dtype(tensor.get('quantization', tensor)['dtype'])  # half precision
        values = np.frombuffer(blob, dtype, int(np.prod(tensor['shape'])), place)
        place += values.nbytes
        weights[tensor['name']] = values.reshape(tensor['shape']).astype(np.float32)
    return weights
