"""The compact networks, readable in one sitting; the only torch that an exported model has seen."""

import math

import torch
from torch import Tensor, nn

from emotion_core.emotions import EMOTIONS

CONTRAST_FLOOR = 0.1  # of a crop's standard deviation, in the units of the input; keeps a blank crop finite


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016, with average pooling in the shortcut)."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1):
        """Make a block that widens to ``channels`` and shrinks each side by ``stride``."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut = (
            nn.Identity()
            if channels_in == channels and stride == 1
            else nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True),
                nn.Conv2d(channels_in, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels_in, h, w) to (batch, channels, h / stride, w / stride), rounded up."""
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class FerCompact(nn.Module):
    """A residual network of about 1.5 M parameters for 48x48 gray faces; it looks at each face and at its mirror image."""

    def __init__(self, dropout: float = 0.3):
        """Make the network with random weights."""
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 24, 3, 1, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU())
        self.blocks = nn.Sequential(
            ResidualBlock(24, 48, 2),
            ResidualBlock(48, 96, 2),
            ResidualBlock(96, 96),
            ResidualBlock(96, 192, 2),
            ResidualBlock(192, 192),
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(192, len(EMOTIONS))

    def embed(self, faces: Tensor) -> Tensor:
        """Map faces (batch, 1, 48, 48) to what the head reads (batch, 192)."""
        # Each crop brought to one brightness and contrast: light is not emotion.
        faces = faces - faces.mean((2, 3), keepdim=True)
        faces = faces / (faces.square().mean((2, 3), keepdim=True).sqrt() + CONTRAST_FLOOR)
        if self.training:
            return self.blocks(self.stem(faces)).mean((2, 3))
        both = torch.cat([faces, faces.flip(3)])
        first, mirrored = self.blocks(self.stem(both)).mean((2, 3)).chunk(2)
        return (first + mirrored) / 2

    def forward(self, faces: Tensor) -> Tensor:
        """Map faces (batch, 1, 48, 48) to logits (batch, 6)."""
        return self.head(self.dropout(self.embed(faces)))


class LogMel(nn.Module):
    """Waveform to log-mel bands, with nothing but convolution and arithmetic, so that it exports anywhere."""

    WINDOW = 400  # samples, 25 ms at 16 kHz
    HOP = 160  # samples, 10 ms
    FFT = 512
    FLOOR = 1e-6  # of the mean power in a band; a segment comes at a mean power of 2.5e-3

    def __init__(self, bands: int, sample_rate: int = 16000, low_hz: float = 60.0, high_hz: float = 7600.0):
        """Build the windowed DFT basis and the triangular mel filters, each with unit sum."""
        super().__init__()
        bins = self.FFT // 2 + 1
        window = torch.hann_window(self.WINDOW, periodic=True, dtype=torch.float64)
        phase = 2 * torch.pi / self.FFT * torch.outer(torch.arange(bins), torch.arange(self.WINDOW)).double()
        basis = torch.cat([phase.cos(), phase.sin()]) * window / window.square().sum().sqrt()
        low, high = (math.log1p(hz / 700) for hz in (low_hz, high_hz))
        edges = 700 * torch.expm1(torch.linspace(low, high, bands + 2, dtype=torch.float64))
        frequency = torch.arange(bins, dtype=torch.float64) * sample_rate / self.FFT
        rising = (frequency - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
        falling = (edges[2:, None] - frequency) / (edges[2:] - edges[1:-1])[:, None]
        filters = torch.minimum(rising, falling).clamp(min=0)
        filters /= filters.sum(dim=1, keepdim=True)
        self.register_buffer('basis', basis[:, None].float(), persistent=False)
        self.register_buffer('filters', filters[:, :, None].float(), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Map (batch, samples) to (batch, bands, frames) in [-4, 4]; each band has mean 0 and deviation 1."""
        parts = nn.functional.conv1d(samples[:, None], self.basis, stride=self.HOP)
        real, imaginary = parts.square().chunk(2, dim=1)
        power = nn.functional.conv1d(real + imaginary, self.filters) + self.FLOOR
        # Each frame counts by its amplitude: how much silence stands around the speech must not matter.
        weight = power.mean(1, keepdim=True).sqrt()
        weight = weight / weight.sum(2, keepdim=True)
        mel = power.log()
        mel = mel - (weight * mel).sum(2, keepdim=True)
        return (mel / ((weight * mel.square()).sum(2, keepdim=True) + 0.1).sqrt()).clamp(-4, 4)


class SerCompact(nn.Module):
    """A log-mel front end, a residual network of about 0.7 M parameters, attentive statistics over time."""

    BANDS = 64
    HIDDEN = 128

    def __init__(self, dropout: float = 0.3):
        """Make the network with random weights."""
        super().__init__()
        self.log_mel = LogMel(self.BANDS)
        self.stem = nn.Sequential(nn.Conv2d(1, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.blocks = nn.Sequential(ResidualBlock(32, 64, 2), ResidualBlock(64, 128, 2), ResidualBlock(128, 128))
        self.collapse = nn.Sequential(  # all bands of one time into one vector
            nn.Conv2d(128, self.HIDDEN, (self.BANDS // 8, 1), bias=False), nn.BatchNorm2d(self.HIDDEN), nn.ReLU()
        )
        self.attend = nn.Sequential(nn.Conv1d(self.HIDDEN, 64, 1), nn.Tanh(), nn.Conv1d(64, self.HIDDEN, 1))
        self.classify = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * self.HIDDEN, len(EMOTIONS)))

    def forward(self, samples: Tensor) -> Tensor:
        """Map mono 16 kHz waveforms (batch, samples) of at least 0.5 s to logits (batch, 6)."""
        if self.training:  # bfloat16 is too coarse for the front end, and nothing in it learns
            with torch.autocast('cpu', enabled=False), torch.no_grad():
                mel = mask_at_random(self.log_mel(samples))
        else:
            mel = self.log_mel(samples)
        features = self.collapse(self.blocks(self.stem(mel[:, None])))[:, :, 0]
        attention = self.attend(features).softmax(dim=2)
        mean = (attention * features).sum(2)
        deviation = ((attention * features.square()).sum(2) - mean.square()).clamp(min=1e-4).sqrt()
        return self.classify(torch.cat([mean, deviation], dim=1))


def mask_at_random(mel: Tensor) -> Tensor:
    """Zero two stretches of bands and two of time in each of (batch, bands, frames) (SpecAugment, Park et al. 2019)."""
    batch, bands, frames = mel.shape
    for axis, size, longest in ((1, bands, bands // 7), (2, frames, frames // 10)) * 2:
        start = torch.rand(batch, 1) * size
        place = torch.arange(size)
        hidden = (place >= start) & (place < start + torch.rand(batch, 1) * longest)
        mel = mel.masked_fill(hidden.unsqueeze(3 - axis), 0)
    return mel
