"""RAVDESS and nEMO: acted emotional speech, read from their folders or straight from the tar files."""

import csv
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile

from emotion_core.emotions import EMOTIONS, to_emotion
from emotion_training.errors import TrainingError

SAMPLE_RATE = 16000  # [Hz] of both corpora
RAVDESS_EMOTIONS = {
    '01': 'neutral',
    '02': 'calm',
    '03': 'happy',
    '04': 'sad',
    '05': 'angry',
    '06': 'fearful',
    '07': 'disgust',
    '08': 'surprised',
}  # third field of a file name
LICENCES = {
    'ravdess': 'RAVDESS speech audio (Zenodo record 1188976): to our knowledge CC BY-NC-SA 4.0',
    'nemo': 'nEMO (amu-cai/nEMO): CC BY-NC-SA 4.0',
}


@dataclass(frozen=True)
class Clip:
    """One utterance of one speaker; it is decoded when its samples are first asked for."""

    path: str  # inside the data folder
    label: int  # index into EMOTIONS
    speaker: str  # unique over all corpora, such as 'ravdess/07'
    encoded: bytes = field(repr=False)

    @property
    def corpus(self) -> str:
        """Name of the corpus, such as 'ravdess'."""
        return self.speaker.split('/')[0]

    @cached_property
    def samples(self) -> np.ndarray:
        """Mono float32 samples of shape (n,) in [-1, 1] at SAMPLE_RATE; raises TrainingError for another rate."""
        samples, rate = soundfile.read(io.BytesIO(self.encoded), dtype='float32', always_2d=True)
        if rate != SAMPLE_RATE:
            raise TrainingError(f"'{self.path}' has {rate} Hz: convert the corpus to {SAMPLE_RATE} Hz first")
        return samples.mean(axis=1)


def load_ravdess(folder: Path) -> list[Clip]:
    """
    Read RAVDESS, ``calm`` as neutral, disgust left out: 1,248 clips of 24 actors.

    :param folder: Holds ``RAVDESS/`` or ``RAVDESS.tar``.
    :raises TrainingError: when it holds neither.
    """
    clips = []
    for path, encoded in _files(folder, 'RAVDESS', ('.flac', '.wav')):
        fields = Path(path).stem.split('-')
        emotion = to_emotion(RAVDESS_EMOTIONS[fields[2]])
        if emotion is not None:
            clips.append(Clip(path, EMOTIONS.index(emotion), f'ravdess/{fields[6]}', encoded))
    return clips


def load_nemo(folder: Path) -> list[Clip]:
    """
    Read nEMO: 4,481 clips of 9 speakers.

    :param folder: Holds ``nEMO/`` or ``nEMO.tar``.
    :raises TrainingError: when it holds neither.
    """
    files = dict(_files(folder, 'nEMO', ('.tsv', '.opus', '.wav')))
    table = next(files.pop(path) for path in tuple(files) if path.endswith('data.tsv'))
    rows = {Path(row['file_id']).stem: row for row in csv.DictReader(io.StringIO(table.decode()), delimiter='\t')}
    clips = []
    for path, encoded in files.items():
        row = rows[Path(path).stem]
        speaker = row['speaker_id'].strip()  # the table pads it with blanks
        clips.append(Clip(path, EMOTIONS.index(to_emotion(row['emotion'])), f'nemo/{speaker}', encoded))
    return clips


def _files(folder: Path, name: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Give path and content of the files of a corpus in the order of their paths."""
    directory, archive = Path(folder) / name, Path(folder) / f'{name}.tar'
    if directory.is_dir():
        for path in sorted(p for p in directory.rglob('*') if p.suffix in suffixes):
            yield path.relative_to(folder).as_posix(), path.read_bytes()
    elif archive.is_file():
        with tarfile.open(archive) as tar:
            for member in sorted((m for m in tar if m.isfile() and m.name.endswith(suffixes)), key=lambda m: m.name):
                yield member.name, tar.extractfile(member).read()
    else:
        raise TrainingError(
            f"neither '{directory}' nor '{archive}' is there: SER training needs RAVDESS (speech, zenodo.org record "
            f'1188976) and nEMO (github.com/amu-cai/nEMO), both as 16 kHz mono files; name the folder that holds them '
            f'with --data'
        )
