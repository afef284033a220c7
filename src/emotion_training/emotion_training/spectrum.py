"""Parts of front ends, with nothing but convolution and arithmetic, so that they export anywhere."""

import torch
from torch import Tensor, nn


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


def power_spectrum(samples: Tensor, basis: Tensor, hop: int) -> Tensor:
    """Give the power of (batch, 1, samples) in each bin (batch, bins, frames), by a basis (2 * bins, 1, window)."""
    real, imaginary = nn.functional.conv1d(samples, basis, stride=hop).square().chunk(2, dim=1)
    return real + imaginary


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Average (batch, [rows,] frames) over the frames by weights (batch, frames)."""
    if values.dim() == 3:
        weight = weight[:, None]
    return (weight * values).sum(-1) / weight.sum(-1)


def weighted_moments(values: Tensor, weight: Tensor, least: float = 1e-4) -> tuple[Tensor, Tensor]:
    """Give weighted mean and standard deviation over the frames; ``least`` is the least variance."""
    average = weighted_mean(values, weight)
    return average, (weighted_mean(values.square(), weight) - average.square()).clamp(min=least).sqrt()
