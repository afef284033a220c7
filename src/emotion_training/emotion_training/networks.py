"""The compact networks, readable in one sitting; the only torch that an exported model has seen."""

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor, nn

from emotion_core.emotions import EMOTIONS
from emotion_training.face_encoder import FaceEncoder
from emotion_training.functionals import Functionals, SerMember, without_emotion
from emotion_training.sound import SAMPLE_RATE
from emotion_training.spectrum import power_spectrum, triangles, windowed_dft
from emotion_training.speech_encoder import SpeechEncoder, SpeechSpectrum
from emotion_training.voice_change import STEADY_S, VoiceChangeFit

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


class ResidualEncoder(nn.Module):
    """A residual network from fresh weights on."""

    def __init__(self, stem: int, stages: Sequence[tuple[int, int]]):
        """
        Make the network with random weights.

        :param stem: Channels of the first convolution, at full resolution.
        :param stages: Channels and number of blocks of each stage; each halves the sides.
        """
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, stem, 3, 1, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU())
        self.blocks, width = nn.Sequential(), stem
        for channels, count in stages:
            for number in range(count):
                self.blocks.append(ResidualBlock(width, channels, 2 if number == 0 else 1))
                width = channels
        self.width = width

    def forward(self, faces: Tensor) -> Tensor:
        """Map gray faces (batch, 1, h, w), of mean 0 and contrast 1, to codes (batch, width)."""
        return self.blocks(self.stem(faces)).mean((2, 3))


class FaceNetwork(nn.Module):
    """An encoder of faces with a head that tells emotions."""

    def __init__(self, encoder: ResidualEncoder | FaceEncoder, dropout: float = 0.3):
        """Take over an encoder; the head has random weights."""
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.width, len(EMOTIONS))

    @staticmethod
    def even(faces: Tensor) -> Tensor:
        """Bring each crop (batch, 1, h, w) to mean 0 and contrast 1: light is not emotion."""
        faces = faces - faces.mean((2, 3), keepdim=True)
        return faces / (faces.square().mean((2, 3), keepdim=True).sqrt() + CONTRAST_FLOOR)

    def embed(self, faces: Tensor) -> Tensor:
        """Map faces (batch, 1, h, w) to what the head reads (batch, width)."""
        return self.encoder(self.even(faces))

    def forward(self, faces: Tensor) -> Tensor:
        """Map faces (batch, 1, h, w) to logits (batch, 6)."""
        return self.head(self.dropout(self.embed(faces)))


class FerCompact(nn.Module):
    """A trained FaceNetwork that looks at a face and at its mirror image; this is what is exported."""

    OUTPUTS = ('logits', 'embedding', 'face')

    def __init__(self, network: FaceNetwork):
        """Take over a network and its head. All is a face until ``face`` is fitted."""
        super().__init__()
        self.network = network
        self.head = network.head
        self.face = nn.Linear(network.head.in_features, 1)
        nn.init.zeros_(self.face.weight)
        nn.init.constant_(self.face.bias, 20.0)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Classify faces (batch, 1, 48, 48).

        :return: Logits (batch, 6), what the head reads (batch, width), and how much each looks like a face (batch,),
            in [0, 1]: below 0.5 it is none.
        """
        # Both in one batch, in a dimension of their own at first: else it would be exported for a batch of fixed size.
        views = torch.stack([faces, faces.flip(3)], 1).flatten(0, 1)
        embedding = self.network.embed(views).unflatten(0, (-1, 2)).mean(1)
        return self.head(embedding), embedding, self.face(embedding).sigmoid()[:, 0]


def joint_head(heads: Sequence[nn.Linear]) -> nn.Linear:
    """Give the linear map over all inputs, one after the other, whose output is the mean of the heads' outputs."""
    joint = nn.Linear(sum(head.in_features for head in heads), heads[0].out_features)
    with torch.no_grad():
        joint.weight.copy_(torch.cat([head.weight for head in heads], dim=1) / len(heads))
        joint.bias.copy_(torch.stack([head.bias for head in heads]).mean(0))
    return joint


class LogMel(nn.Module):
    """Waveform to log-mel bands, with nothing but convolution and arithmetic, so that it exports anywhere."""

    WINDOW = 400  # samples, 25 ms at 16 kHz
    HOP = 160  # samples, 10 ms
    FFT = 512
    RANGE_HZ = 60.0, 7600.0  # of the bands
    FLOOR = 1e-6  # of the mean power in a band; a segment comes at a mean power of 2.5e-3

    def __init__(self, bands: int):
        """Build the windowed DFT basis and the triangular mel filters, each with unit sum."""
        super().__init__()
        bins = self.FFT // 2 + 1
        window = torch.hann_window(self.WINDOW, periodic=True, dtype=torch.float64)
        basis = windowed_dft(window, self.FFT) / window.square().sum().sqrt()
        low, high = (math.log1p(hz / 700) for hz in self.RANGE_HZ)
        edges = 700 * torch.expm1(torch.linspace(low, high, bands + 2, dtype=torch.float64))
        frequency = torch.arange(bins, dtype=torch.float64) * SAMPLE_RATE / self.FFT
        filters = triangles(edges, frequency)
        filters /= filters.sum(dim=1, keepdim=True)
        self.register_buffer('basis', basis[:, None].float(), persistent=False)
        self.register_buffer('filters', filters[:, :, None].float(), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Map (batch, samples) to the logarithm of the power in each band (batch, bands, frames)."""
        power = power_spectrum(samples[:, None], self.basis, self.HOP)
        return (nn.functional.conv1d(power, self.filters) + self.FLOOR).log()


def band_moments(mel: Tensor) -> Tensor:
    """
    Give mean and mean square over time of each band, (batch, 2 * bands) of log-mel (batch, bands, frames).

    Each frame counts by its amplitude: how much silence stands around the speech must not matter.
    """
    weight = mel.exp().mean(1, keepdim=True).sqrt()
    weight = weight / weight.sum(2, keepdim=True)
    return torch.cat([(weight * mel).sum(2), (weight * mel.square()).sum(2)], dim=1)


class SerEncoder(nn.Module):
    """
    The encoder with a head of its own, by which it learns emotions.

    The head sees the code of an utterance beside what is different in it from the mean code of the speaker.
    """

    GROUP = 6  # consecutive utterances of one speaker in a training batch

    def __init__(self):
        """Make the network with random weights."""
        super().__init__()
        self.encoder = SpeechEncoder()
        self.norm = nn.BatchNorm1d(SpeechEncoder.CODE, affine=False)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(2 * SpeechEncoder.CODE, len(EMOTIONS))

    def forward(self, spectrum: Tensor) -> Tensor:
        """
        Map SpeechSpectrum (batch, BANDS, frames) to logits (batch, 6).

        In training each utterance is compared with a random number of others of its GROUP, so that the network learns
        to make the best of one and of many; in evaluation with itself alone.
        """
        code = self.norm(self.encoder(spectrum))
        known = fellows(len(code), self.GROUP) if self.training else torch.eye(len(code))
        return self.head(self.dropout(torch.cat([code, code - known.to(code.device) @ code], dim=1)))


class VoiceChange(nn.Module):
    """Tells the voice of somebody else from that of the reference; ``voice_change`` says how, and fits it."""

    def __init__(self, fit: VoiceChangeFit):
        """Take over a fit."""
        super().__init__()
        self.register_buffer('directions', torch.tensor(fit.directions, dtype=torch.float32))
        self.register_buffer('spread', torch.tensor(fit.spread, dtype=torch.float32))
        self.threshold = fit.threshold

    def forward(self, mel: Tensor, moments: Tensor, reference: Tensor, heard: Tensor) -> Tensor:
        """
        Give the log-odds, over the threshold, that it is another voice; 0 when none was heard before.

        :param mel: (batch, bands, frames), for its length alone.
        :param moments: (batch, 2 * bands) of it.
        :param reference: (1, 2 * bands), mean moments of the utterances that were heard before.
        :param heard: (1,) how many these were.
        :return: (batch,).
        """
        seconds = torch.ones_like(mel[:, 0]).sum(1, keepdim=True) * (LogMel.HOP / SAMPLE_RATE)
        distance = ((moments - reference).chunk(2, dim=1)[0] @ self.directions).square()
        same = (STEADY_S / seconds).clamp(min=1) + 1 / heard.clamp(min=1)
        other = same + 2 * self.spread
        log_odds = 0.5 * (distance * (1 / same - 1 / other) - (other / same).log()).sum(1) - self.threshold
        return log_odds * (heard > 0)


class SerEnsemble(nn.Module):
    """
    The mean of several trained SerMember over one encoder, from the waveform on; this is what is exported.

    It hears an utterance at several SPEEDS, as if people with other voices said it too, and takes the mean.
    """

    SPEEDS = (Fraction(6, 7), Fraction(1), Fraction(8, 7))  # of speech and pitch together; members learn from such
    OUTPUTS = ('logits', 'embedding', 'voice', 'change')
    BANDS = 80

    def __init__(self, members: Sequence[SerMember], encoder: SpeechEncoder, change: VoiceChangeFit):
        """Join members; the heads become one linear map over all embeddings, member after member."""
        super().__init__()
        self.log_mel = LogMel(self.BANDS)
        self.functionals = Functionals(self.BANDS)
        self.spectrum = SpeechSpectrum()
        self.encoder = encoder
        self.change = VoiceChange(change)
        self.members = nn.ModuleList(members)
        self.head = joint_head([member.head for member in members])

    @property
    def voice_size(self) -> int:
        """Length of a voice: the band moments, then what is heard at each speed without its emotion, then squares."""
        return 2 * self.BANDS + 2 * len(self.SPEEDS) * SerMember.COUNT

    def hear(self, samples: Tensor) -> Tensor:
        """Give what a SerMember takes, (batch, COUNT), of waveforms (batch, samples)."""
        return torch.cat(
            [self.functionals(samples, self.log_mel(samples)), self.encoder(self.spectrum(samples))], dim=1
        )

    def inputs(self, samples: Tensor) -> dict[str, Tensor]:
        """Name the inputs for waveforms (batch, samples), the first of which was heard before, thrice and backwards."""
        nobody = torch.zeros(1, self.voice_size), torch.zeros(1)
        _, _, voice, _ = self(samples[:1].flip(1), *nobody)
        return {'samples': samples, 'reference': voice, 'heard': torch.tensor([3.0])}

    def forward(self, samples: Tensor, reference: Tensor, heard: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """
        Classify utterances of one speaker.

        :param samples: Mono 16 kHz waveforms (batch, samples) of 0.5 to 8 s.
        :param reference: (1, voice_size) mean voice of the utterances that the speaker was heard say before.
        :param heard: (1,) how many these were; 0 for a speaker heard for the first time.
        :return: Logits (batch, 6), embeddings (batch, width of the head), voices (batch, voice_size), and over
            0 where the voice is another's than the reference (batch,).
        """
        mel = self.log_mel(samples)
        moments = band_moments(mel)
        known, heard_before = reference.split([2 * self.BANDS, self.voice_size - 2 * self.BANDS], dim=1)
        said = torch.stack([self.hear(at_speed(samples, speed)) for speed in self.SPEEDS], dim=1)
        mean, square = heard_before.unflatten(1, (2, len(self.SPEEDS), -1)).unbind(1)
        embeddings = [member.embed(said, mean, square, heard[:, None]).mean(1) for member in self.members]
        embedding = torch.cat(embeddings, dim=1)
        change = self.change(mel, moments, known, heard)
        first = self.members[0]  # so that a voice is what it is for those, too, on whom only this one is calibrated
        kept = without_emotion(said, first.head(embeddings[0]).softmax(1)[:, None], first.emotions)
        voice = torch.cat([moments, kept.flatten(1), kept.square().flatten(1)], dim=1)
        return self.head(embedding), embedding, voice, change


def at_speed(samples: Tensor, speed: Fraction) -> Tensor:
    """Let waveforms (batch, samples) go by faster, pitch and all, by linear interpolation."""
    # Of so many samples so many others, each between two neighbours: a convolution, which is exact wherever it runs.
    read, made = speed.as_integer_ratio()
    place = torch.arange(made, dtype=torch.float64)[:, None] * (read / made)
    kernel = (1 - (torch.arange(read + 1) - place).abs()).clamp(min=0)[:, None].float()
    parts = nn.functional.conv1d(samples[:, None], kernel.to(samples.device), stride=read)
    return parts.transpose(1, 2).flatten(1)


def fellows(batch: int, group: int) -> Tensor:
    """
    Choose with whom of its group each row is averaged: itself, and none (at a quarter of the rows) to all of the rest.

    :return: (batch, batch), each row with sum 1.
    """
    chance = torch.rand(batch, 1) * (torch.rand(batch, 1) > 0.25)  # for each row that any other is chosen
    chosen = (torch.rand(batch, batch) < chance) | torch.eye(batch, dtype=torch.bool)
    place = torch.arange(batch) // group
    chosen &= place == place[:, None]
    return chosen / chosen.sum(1, keepdim=True)
