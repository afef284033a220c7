"""A manifest: one CSV that says of each clip of a corpus where it is, what is heard, who speaks, and on which side."""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np

from emotion_core.emotions import EMOTIONS
from emotion_training import sound
from emotion_training.corpus_source import CorpusSource
from emotion_training.errors import TrainingError
from emotion_training.splits import SIDES, check_speakers

DIGITS = 3  # of a duration [s]


@dataclass(frozen=True)
class Row:
    """What a manifest says of one clip; the fields are the columns."""

    path: str  # name of the corpus's folder (or of its tar, without '.tar'), then the file inside, with '/'
    label: str  # one of EMOTIONS
    speaker: str  # unique over all corpora, such as 'ravdess/07'
    corpus: str  # such as 'ravdess'
    split: str  # one of SIDES
    duration: float | None  # [s]; None where only the name is known
    original_label: str  # the corpus's own word


@dataclass(frozen=True)
class Clip:
    """One utterance of one speaker; it is read when its samples are first asked for."""

    row: Row
    source: CorpusSource = field(repr=False, compare=False)

    @property
    def path(self) -> str:
        """Path inside the folder that holds the corpora."""
        return self.row.path

    @property
    def label(self) -> int:
        """Index into EMOTIONS."""
        return EMOTIONS.index(self.row.label)

    @property
    def speaker(self) -> str:
        """Who speaks, unique over all corpora."""
        return self.row.speaker

    @property
    def corpus(self) -> str:
        """Name of the corpus, such as 'ravdess'."""
        return self.row.corpus

    @property
    def split(self) -> str:
        """One of SIDES."""
        return self.row.split

    @cached_property
    def samples(self) -> np.ndarray:
        """Mono float32 samples of shape (n,) in [-1, 1] at sound.SAMPLE_RATE; raises TrainingError when damaged."""
        return sound.load(self.source.read(file_of(self.row)), self.path)


COLUMNS = tuple(column.name for column in fields(Row))


def file_of(row: Row) -> str:
    """Give the path inside the corpus."""
    return row.path.partition('/')[2]


def split_hash(rows: Iterable[Row]) -> str:
    """
    Give the SHA-256 of who is on which side, the same wherever the corpora lie and however the rows are ordered.

    It covers path, label, speaker and split of each row, as lines of JSON lists, sorted.
    """
    lines = sorted(json.dumps([row.path, row.label, row.speaker, row.split], ensure_ascii=False) for row in rows)
    return sha256('\n'.join(lines).encode()).hexdigest()


def write_manifest(path: Path, rows: Iterable[Row]) -> None:
    """Write the rows; durations in seconds with three decimals, empty where they are not known."""
    with open(path, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow(
                astuple(replace(row, duration='' if row.duration is None else f'{row.duration:.{DIGITS}f}'))
            )


def read_manifest(path: Path) -> list[Row]:
    """
    Read a manifest and check each row on its own.

    :raises TrainingError: when it is missing, has other columns, or a row has an unknown label or side, no duration
        above 0 (an empty one is fine), or the path of an earlier row; it names the line.
    """
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise TrainingError(f"'{path}' is no manifest: its first line must be {','.join(COLUMNS)}")
            rows = [_row(columns, f"'{path}' line {reader.line_num}") for columns in reader]
    except FileNotFoundError as error:
        raise TrainingError(f"'{path}' is missing: make it with ./emotion manifest (--help shows how)") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"'{path}' cannot be read as a manifest: {error}") from error
    _check_unique(rows, f"'{path}'")
    return rows


def load_clips(manifests: Sequence[Path], data: Path | None = None) -> list[Clip]:
    """
    Give the clips of one or more manifests; sound is read and brought to 16 kHz mono when it is asked for.

    :param manifests: CSV files that ``write_manifest`` wrote.
    :param data: The folder that holds the corpora as folders or tar files; by default each manifest's own folder.
    :raises TrainingError: for a manifest that cannot be read or knows names only, a speaker on two sides, a path in
        two manifests, and files that are not there.
    """
    rows = {manifest: read_manifest(manifest) for manifest in map(Path, manifests)}
    everything = [row for some in rows.values() for row in some]
    _check_unique(everything, 'the manifests')
    check_speakers((row.speaker, row.split) for row in everything)
    clips = []
    for manifest, some in rows.items():
        if any(row.duration is None for row in some):
            raise TrainingError(f"'{manifest}' lists names only (no durations): make it again where the files are")
        clips += _clips(manifest, some, Path(data) if data else manifest.parent)
    return clips


def _clips(manifest: Path, rows: Sequence[Row], folder: Path) -> list[Clip]:
    names = {row.path.partition('/')[0] for row in rows}
    sources = {name: CorpusSource.find(folder, name) for name in names}
    found = [(row, sources[row.path.partition('/')[0]]) for row in rows]
    missing = [row.path for row, source in found if source is None or file_of(row) not in source]
    if missing:
        raise TrainingError(
            f"{len(missing)} of the {len(rows)} files of '{manifest}' are not in '{folder}', the first is "
            f"'{missing[0]}': name the folder that holds the corpora with --data, or make the manifest again"
        )
    return [Clip(row, source) for row, source in found]


def _row(columns: dict[str, str], where: str) -> Row:
    if None in columns or None in columns.values():
        raise TrainingError(f'{where} does not have {len(COLUMNS)} columns')
    if columns['label'] not in EMOTIONS:
        raise TrainingError(f"{where} has the label '{columns['label']}': use one of {', '.join(EMOTIONS)}")
    if columns['split'] not in SIDES:
        raise TrainingError(f"{where} has the split '{columns['split']}': use one of {', '.join(SIDES)}")
    try:
        duration = float(columns['duration']) if columns['duration'] else None
    except ValueError:
        duration = 0.0
    if duration is not None and not 0 < duration < float('inf'):
        raise TrainingError(f"{where} has the duration '{columns['duration']}': seconds above 0 are needed, or nothing")
    if not columns['path'] or not columns['speaker']:
        raise TrainingError(f'{where} has no path or no speaker')
    return Row(**columns | {'duration': duration})


def _check_unique(rows: Sequence[Row], where: str) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.path in seen:
            raise TrainingError(f"{where} name '{row.path}' twice: keep one row of each file")
        seen.add(row.path)
