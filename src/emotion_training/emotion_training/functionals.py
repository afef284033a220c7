"""What a voice does over a whole utterance, in numbers, and what these say beside those of the same voice before."""

import math
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from emotion_core.emotions import EMOTIONS
from emotion_training.sound import SAMPLE_RATE
from emotion_training.spectrum import power_spectrum, weighted_mean, weighted_moments, windowed_dft
from emotion_training.speech_encoder import SpeechEncoder

CEPSTRA = 20
ACTIVE = 2.0  # a frame within this of the loudness of the utterance belongs to the speech; natural logarithm of power
VOICED = 0.4, 0.7  # periodicity at which a frame begins to count for the pitch, and counts whole
LEAST_BETWEEN = 0.02  # variance of the speakers' means, at least
STEADY = 8.0  # utterances that the variance of all people within themselves counts as, beside a speaker's own
TAKEN = 0.5  # share of what an emotion adds that is taken from what is remembered of a voice; see LOG.md
HALF_KNOWN = 2.0  # utterances after which a voice counts as much as known as new


class Pitch(nn.Module):
    """
    Pitch by autocorrelation, with nothing but convolution and arithmetic, so that it exports anywhere.

    The autocorrelation of each window is divided by that of the window function (Boersma 1993), and evaluated at lags
    evenly spaced in the logarithm.
    """

    WINDOW = 320  # samples, 40 ms at 8 kHz
    HOP = 160  # samples, 20 ms
    FFT = 512
    LOW_HZ, OCTAVES, STEPS = 64.0, 2.75, 32  # candidates: STEPS an octave
    OCTAVE_COST = 0.02  # a candidate an octave lower must be so much more periodic

    def __init__(self):
        """Build the low pass that halves the sampling rate, the windowed DFT basis and the lags."""
        super().__init__()
        taps = torch.arange(-15, 16).double()
        low_pass = torch.special.sinc(taps * 0.45) * torch.hann_window(33, periodic=False, dtype=torch.float64)[1:-1]
        window = torch.hann_window(self.WINDOW, periodic=True, dtype=torch.float64)
        bins = torch.arange(self.FFT // 2 + 1).double()
        octaves = torch.arange(int(self.OCTAVES * self.STEPS)).double() / self.STEPS
        lags = torch.cat([torch.zeros(1).double(), SAMPLE_RATE / 2 / self.LOW_HZ * 2**-octaves])
        both_sides = torch.full_like(bins, 2.0)
        both_sides[[0, -1]] = 1.0
        cosines = (2 * torch.pi / self.FFT * torch.outer(lags, bins)).cos() * both_sides / self.FFT
        of_window = cosines @ torch.fft.rfft(window, self.FFT).abs().square()
        self.register_buffer('low_pass', (low_pass / low_pass.sum())[None, None].float(), persistent=False)
        self.register_buffer('basis', windowed_dft(window, self.FFT)[:, None].float(), persistent=False)
        self.register_buffer('lags', (cosines / of_window[:, None])[:, :, None].float(), persistent=False)
        self.register_buffer('octaves', octaves.float(), persistent=False)

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Map (batch, samples) to pitch [octaves over LOW_HZ], periodicity in [0, 1] and power, each (batch, frames).

        Where nothing is periodic the pitch means nothing.
        """
        low = nn.functional.conv1d(samples[:, None], self.low_pass, stride=2)
        spectrum = power_spectrum(low, self.basis, self.HOP)
        power, correlation = nn.functional.conv1d(spectrum, self.lags).split([1, len(self.octaves)], dim=1)
        power = power.clamp(min=1e-6)
        preferred = correlation / power + self.OCTAVE_COST * self.octaves[:, None]
        best = preferred.argmax(1, keepdim=True)
        pitch = self.octaves[best[:, 0]]
        periodicity = preferred.gather(1, best)[:, 0] - self.OCTAVE_COST * pitch
        return pitch, periodicity.clamp(0, 1), power[:, 0]


class Functionals(nn.Module):
    """Numbers that do not depend on how much silence stands around the speech: frames count by their amplitude."""

    COUNT = 2 * 80 + 3 * CEPSTRA + 17

    def __init__(self, bands: int):
        """Build the cosine transform that makes cepstra of log-mel bands."""
        super().__init__()
        self.pitch = Pitch()
        phase = torch.pi / bands * torch.outer(torch.arange(1, CEPSTRA + 1).double(), torch.arange(bands) + 0.5)
        self.register_buffer('cosines', (math.sqrt(2 / bands) * phase.cos()).float(), persistent=False)

    def forward(self, samples: Tensor, mel: Tensor) -> Tensor:
        """Map waveforms (batch, samples) and their log-mel bands (batch, bands, frames) to (batch, COUNT)."""
        power = mel.exp().mean(1)
        amplitude = power.sqrt()
        band_mean, band_deviation = weighted_moments(mel, amplitude)
        cepstra = self.cosines @ mel
        mean, deviation = weighted_moments(cepstra, amplitude)
        skewness = weighted_mean((cepstra - mean[:, :, None]) ** 3, amplitude) / deviation**3
        _, movement = weighted_moments(cepstra[:, :, 4:] - cepstra[:, :, :-4], amplitude[:, 2:-2])

        pitch, periodicity, pitch_power = self.pitch(samples)
        low, high = VOICED
        weight = pitch_power.sqrt()
        voiced = weight * ((periodicity - low) / (high - low)).clamp(0, 1) + 1e-6
        glide = (pitch[:, 1:] - pitch[:, :-1]).abs().clamp(max=0.5)
        both_voiced = (voiced[:, 1:] * voiced[:, :-1]).sqrt()

        loudness = power.log()
        active = (loudness > weighted_mean(loudness, amplitude)[:, None] - ACTIVE).float() + 1e-6
        change = (loudness[:, 3:] - loudness[:, :-3]).abs()
        either_active = torch.maximum(active[:, 3:], active[:, :-3])
        rhythm = torch.stack(
            [
                active.mean(1),
                (active[:, 1:] - active[:, :-1]).abs().mean(1),
                active.sum(1).log(),
                torch.ones_like(active).sum(1).log(),
                _slope(pitch, voiced),
                _slope(loudness, active),
                (weight * (periodicity > high).float()).sum(1) / weight.sum(1),
            ],
            dim=1,
        )
        scalars = [
            (pitch, voiced),
            (glide, both_voiced),
            (periodicity, weight),
            (loudness, active),
            (change, either_active),
        ]
        return torch.cat(
            [band_mean, band_deviation, deviation, movement, skewness]
            + [torch.stack(weighted_moments(values, weights), dim=1) for values, weights in scalars]
            + [rhythm],
            dim=1,
        )


class Population(NamedTuple):
    """How each functional is distributed over people; each array (COUNT,), but of emotions (6, COUNT)."""

    mean: np.ndarray
    deviation: np.ndarray
    within: np.ndarray  # variance of one person's utterances, where all utterances have variance 1
    between: np.ndarray  # variance of the persons' means
    emotions: np.ndarray  # what each emotion adds to a person's mean over all six


def fit_population(functionals: np.ndarray, labels: np.ndarray, speakers: np.ndarray) -> Population:
    """
    Fit how functionals (n, COUNT) are distributed over people; each speaker counts the same but in mean and deviation.

    :param labels: (n,) what is expressed; what emotions add is fitted to the speakers who express all six.
    :param speakers: (n,) who is heard.
    """
    mean, deviation = functionals.mean(0), functionals.std(0) + 1e-6
    scaled = (functionals - mean) / deviation
    of_each = [scaled[speakers == speaker] for speaker in np.unique(speakers)]
    within = np.mean([rows.var(0) for rows in of_each], axis=0)
    between = np.var([rows.mean(0) for rows in of_each], axis=0)
    added = []
    for speaker in np.unique(speakers):
        parts = [functionals[(speakers == speaker) & (labels == label)] for label in range(len(EMOTIONS))]
        if all(len(rows) for rows in parts):
            means = np.array([rows.mean(0) for rows in parts])
            added.append(means - means.mean(0))
    return Population(mean, deviation, within, np.maximum(between, LEAST_BETWEEN), np.mean(added, axis=0))


Numbers = TypeVar('Numbers', np.ndarray, Tensor)


def without_emotion(functionals: Numbers, probabilities: Numbers, emotions: Numbers) -> Numbers:
    """
    Take from functionals (…, n, COUNT) the share TAKEN of what their emotion is expected to add.

    :param probabilities: (…, n, 6) of the emotions.
    :param emotions: (6, COUNT) what each adds.
    """
    return functionals - TAKEN * (probabilities @ emotions)


class SerMember(nn.Module):
    """
    A small network over functionals and the code of the encoder, standardised by what is known of the speaker.

    The mean of a speaker is estimated as empirical Bayes has it (Efron and Morris 1973): from nothing heard, that of
    all people; from much, the speaker's own. Of each utterance that was heard counts what is left without part of what
    its emotion adds (``without_emotion``), or else somebody who stays angry would be taken to sound like that.
    There is one hidden layer for a voice that is new and one for a voice that is known; between the two they fade.
    """

    COUNT = Functionals.COUNT + SpeechEncoder.CODE
    HIDDEN = 128  # of each of the two layers
    INPUT = 3 * COUNT + 1  # of a row in training

    def __init__(self, population: Population | None = None):
        """Make a network with random weights; without a population, for one that is loaded."""
        super().__init__()
        population = population or Population(*np.ones((4, self.COUNT)), np.ones((len(EMOTIONS), self.COUNT)))
        for name, values in population._asdict().items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))
        self.masked = nn.Dropout(0.2)
        self.new = nn.Linear(self.COUNT, self.HIDDEN)
        self.known = nn.Linear(self.COUNT, self.HIDDEN)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(2 * self.HIDDEN, len(EMOTIONS))

    def relative(self, functionals: Tensor, mean: Tensor, square: Tensor, heard: Tensor) -> Tensor:
        """
        Standardise functionals (batch, …, COUNT) by the speaker, in [-4, 4].

        :param mean: (batch or 1, …, COUNT) of the utterances that the speaker was heard say before, each
            ``without_emotion``.
        :param square: (batch or 1, …, COUNT) mean of their squares.
        :param heard: (batch or 1, 1) how many these were.
        """
        functionals, mean, square = (
            (functionals - self.mean) / self.deviation,
            (mean - self.mean) / self.deviation,
            (square - 2 * self.mean * mean + self.mean.square()) / self.deviation.square(),
        )
        trust = heard / (heard + self.within / self.between)
        own = (square - mean.square()).clamp(min=0)
        within = (heard * own + STEADY * self.within) / (heard + STEADY)
        return ((functionals - trust * mean) / (within + (1 - trust) * self.between).sqrt()).clamp(-4, 4)

    def embed(self, functionals: Tensor, mean: Tensor, square: Tensor, heard: Tensor) -> Tensor:
        """Map functionals, see ``relative``, to what the head reads (batch, …, 2 * HIDDEN)."""
        relative = self.masked(self.relative(functionals, mean, square, heard))
        known = heard / (heard + HALF_KNOWN)
        return torch.cat([(1 - known) * self.new(relative).relu(), known * self.known(relative).relu()], dim=-1)

    def forward(self, rows: Tensor) -> Tensor:
        """Map rows of functionals, mean, mean square and number of utterances (batch, INPUT) to logits (batch, 6)."""
        functionals, mean, square, heard = rows.split([self.COUNT] * 3 + [1], dim=1)
        return self.head(self.dropout(self.embed(functionals, mean, square, heard)))


def _slope(values: Tensor, weight: Tensor) -> Tensor:
    """Give the weighted regression of (batch, frames) on time, which goes from -1 to 1; (batch,)."""
    place = torch.ones_like(values).cumsum(1)
    time = place / place[:, -1:] * 2 - 1
    time = time - weighted_mean(time, weight)[:, None]
    return (weight * time * values).sum(1) / (weight * time.square()).sum(1).clamp(min=1e-6)
