"""The card of a model: everything a node needs to know to run it, and a person to trust it."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from emotion_core.emotions import EMOTIONS
from emotion_core.errors import ModelError
from emotion_core.model_card_fields import check_fields
from emotion_core.reliability import Reliability

CARD_FILE = 'model.json'
MODEL_FILE = 'model.onnx'
NOTICE_FILE = 'NOTICE'  # beside them where a model owes one: the terms of what it began as
CHUNK = 1 << 20  # bytes that are read at once
TASKS = ('fer', 'ser', 'face_detection')
CHANNELS = {'gray': 1, 'rgb': 3, 'bgr': 3}


@dataclass(frozen=True)
class ImageInput:
    """Input of shape (faces, channels, height, width): (pixel / 255 - mean) / std."""

    width: int
    height: int
    color: str = 'gray'  # one of CHANNELS
    mean: tuple[float, ...] = (0.0,)  # one per channel
    std: tuple[float, ...] = (1.0,)

    def check(self) -> None:
        """Raise ModelError when it has no size, or the channels are not those of a color."""
        if 0 in (self.width, self.height):
            raise ModelError(f"'width' and 'height' of 'input' are {self.width} and {self.height}: none may be 0")
        if self.color not in CHANNELS:
            raise ModelError(f"color '{self.color}' is not one of {', '.join(CHANNELS)}")
        for name, values in (('mean', self.mean), ('std', self.std)):
            if len(values) != CHANNELS[self.color]:
                raise ModelError(f'{name} has {len(values)} values: {self.color} needs {CHANNELS[self.color]}')


@dataclass(frozen=True)
class AudioInput:
    """Input of shape (clips, samples): mono float waveform in [-1, 1]."""

    sample_rate: int = 16000  # [Hz]
    min_seconds: float = 0.5  # shorter audio is padded with silence
    max_seconds: float = 8.0  # of longer audio the newest part is used

    def check(self) -> None:
        """Raise ModelError when nothing is as long as it takes."""
        if self.max_seconds < self.min_seconds:
            raise ModelError(f"'max_seconds' is {self.max_seconds}, less than 'min_seconds' with {self.min_seconds}")


INPUTS = {'fer': ImageInput, 'face_detection': ImageInput, 'ser': AudioInput}


@dataclass(frozen=True)
class ModelCard:
    """What stands in model.json, beside model.onnx."""

    name: str
    task: str  # one of TASKS
    input: ImageInput | AudioInput
    sha256: str  # of model.onnx
    labels: tuple[str, ...] = EMOTIONS  # the outputs, in order
    label_map: dict[str, str] = field(default_factory=dict)  # foreign label -> emotion; '' drops it
    output: str = 'logits'  # or 'probabilities'
    temperature: float = 1.0  # calibration: logits are divided by it
    warm_temperature: float | None = None  # the same for a voice that was heard for long, where the model knows voices
    reliability: Reliability | None = None
    description: str = ''
    licence: str = ''
    training: dict[str, Any] = field(default_factory=dict)  # data with licences, command, seed, splits
    metrics: dict[str, Any] = field(
        default_factory=dict
    )  # each with the command that made it and its number of samples
    under_represented: str = ''  # who the training data has few of, or does not tell
    limits: str = ''  # when else to expect little of it
    not_for: str = ''  # what it must not be used for

    @property
    def identity(self) -> str:
        """Name and the first 8 hex digits of the hash, as messages carry it."""
        return f'{self.name}@{self.sha256[:8]}'

    @classmethod
    def load(cls, folder: Path) -> 'ModelCard':
        """
        Read the card of a model folder.

        :raises ModelError: when there is none, or it is not a card.
        """
        path = Path(folder) / CARD_FILE
        if not path.exists():
            raise ModelError(f"no model in '{folder}': {CARD_FILE} is missing")
        return cls.read(path)

    @classmethod
    def read(cls, path: Path) -> 'ModelCard':
        """
        Read a card from a file of any name.

        :raises ModelError: when it cannot be read, or is not a card; it names the field.
        """
        try:
            value = json.loads(Path(path).read_text())
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, 'strerror', None) or error
            raise ModelError(f"'{path}' cannot be read: {reason}") from error
        try:
            if not isinstance(value, dict):
                raise ModelError('it is no object with fields')
            task = value.get('task')
            if isinstance(task, str) and task not in TASKS:
                raise ModelError(f"task '{task}' is not one of {', '.join(TASKS)}")
            check_fields(value, cls)
            check_fields(value['input'], INPUTS[task], " of 'input'")
            fields = dict(value)
            fields['input'] = INPUTS[task](
                **{key: tuple(item) if isinstance(item, list) else item for key, item in value['input'].items()}
            )
            if task != 'face_detection':  # a detector takes pictures as they are
                fields['input'].check()
            fields['labels'] = tuple(value.get('labels', EMOTIONS))
            if value.get('reliability') is not None:
                fields['reliability'] = Reliability.from_json(value['reliability'])
            return cls(**fields)
        except ModelError as error:
            raise ModelError(f"'{path}' is not a model card: {error}") from error

    def save(self, folder: Path) -> None:
        """Write the card into a model folder."""
        (Path(folder) / CARD_FILE).write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + '\n')


def sha256_of(*paths: Path) -> str:
    """Give the sha256 in hex of the contents of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, 'rb') as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
