"""Parts of front ends, with nothing but convolution and arithmetic, so that they export anywhere."""

import math

import torch
from torch import Tensor, nn

from emotion_training.sound import SAMPLE_RATE


def windowed_dft(window: Tensor, size: int) -> Tensor:
    """Give the basis of a DFT of ``size`` points of windowed samples: cosines, then sines, (size + 2, len(window))."""
    bins = torch.arange(size // 2 + 1).double()
    phase = 2 * torch.pi / size * torch.outer(bins, torch.arange(len(window)).double())
    return torch.cat([phase.cos(), phase.sin()]) * window


def triangles(edges: Tensor, frequency: Tensor) -> Tensor:
    """Give filters of height 1, each from one edge over the next to the one after, (len(edges) - 2, len(frequency))."""
    rising = (frequency - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequency) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)


def slaney_filters(bands: int, size: int) -> Tensor:
    """
    Give triangular filters of one area, evenly spaced on Slaney's mel scale, (bands, size // 2 + 1).

    It is linear up to 1 kHz and logarithmic above (Slaney 1998, Auditory Toolbox).

    :param size: Points of the DFT.
    """
    linear_hz, break_hz, step = 200 / 3, 1000.0, math.log(6.4) / 27
    break_mel = break_hz / linear_hz
    high_mel = break_mel + math.log(SAMPLE_RATE / 2 / break_hz) / step
    mels = torch.linspace(0, high_mel, bands + 2, dtype=torch.float64)
    edges = torch.where(mels < break_mel, linear_hz * mels, break_hz * torch.exp(step * (mels - break_mel)))
    frequency = torch.arange(size // 2 + 1, dtype=torch.float64) * SAMPLE_RATE / size
    return triangles(edges, frequency) * (2 / (edges[2:] - edges[:-2]))[:, None]


def power_spectrum(samples: Tensor, basis: Tensor, hop: int) -> Tensor:
    """Give the power of (batch, 1, samples) in each bin (batch, bins, frames), by a basis (2 * bins, 1, window)."""
    real, imaginary = nn.functional.conv1d(samples, basis, stride=hop).square().chunk(2, dim=1)
    return real + imaginary


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Average (batch, [rows,] frames) over the frames by weights (batch, frames)."""
    if values.dim() == 3:
        weight = weight[:, None]
    return (weight * values).sum(-1) / weight.sum(-1)


def weighted_moments(values: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Give weighted mean and standard deviation over the frames."""
    average = weighted_mean(values, weight)
    return average, (weighted_mean(values.square(), weight) - average.square()).clamp(min=1e-4).sqrt()
