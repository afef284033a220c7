"""Corpora of emotional speech as they lie on disk: which files, which labels, which speakers, on which side."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePosixPath

from emotion_core.emotions import to_emotion
from emotion_core.errors import InputError, ModelError
from emotion_core.layout import label_and_person
from emotion_training.corpus_source import IS_POINTER, POINTER, CorpusSource
from emotion_training.errors import TrainingError
from emotion_training.manifest import Clip, Row
from emotion_training.sound import OTHER, SOUND, SUFFIXES
from emotion_training.splits import sides_by_name

MISSING = 'missing'
COPY = 'second copy of a file of that name'
CROWD = 'several speakers, or not known who'


@dataclass(frozen=True)
class Entry:
    """What a corpus says of one of its files, in its own words."""

    file: str  # path inside the corpus
    label: str = ''
    speaker: str = ''
    crowd: bool = False  # several people speak, or it is not known who
    left_out: str = ''  # why it is no clip of this project, besides its label
    problem: str = ''  # why it cannot be told what it is


@dataclass(frozen=True)
class Corpus:
    """A corpus, where it comes from, and how to read its layout."""

    name: str  # first part of the speakers' names
    title: str
    home: str  # where to get it
    licence: str
    layout: str  # what lies where
    entries: Callable[[CorpusSource], Iterable[Entry]]  # raises TrainingError when it is not that corpus
    validation: tuple[str, ...] = ()  # speakers, where a split by speaker has been agreed on
    test: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Say where to get it, in a sentence's end."""
        return f'{self.title}; from {self.home}; {self.licence}'


@dataclass(frozen=True)
class Survey:
    """What there is of a corpus, and what of it makes a manifest; no sound has been read."""

    rows: tuple[Row, ...]  # clips of the six emotions by path, missing files too, without durations
    left_out: Counter  # why -> number of files
    problems: dict[str, str]  # path -> what is wrong with it
    files: int  # all that the corpus names, whatever became of them; second copies are not counted
    speakers: int


SideOf = Callable[[set[str]], dict[str, str]]  # the speakers of a corpus -> the side of each


def survey(corpus: Corpus, source: CorpusSource, side_of: SideOf) -> Survey:
    """
    List a corpus.

    :param side_of: Gives the side of each speaker, so that nobody is on two.
    :raises TrainingError: when it is not that corpus, a label is unknown, or the speakers cannot be split.
    """
    entries = list(corpus.entries(source))
    left_out: Counter = Counter()
    problems: dict[str, str] = {}
    chosen: list[tuple[Entry, str]] = []
    for entry in entries:
        path = f'{source.name}/{entry.file}'
        emotion = None
        if entry.problem:
            problems[path] = entry.problem
        elif entry.left_out:
            left_out[entry.left_out] += 1
        elif (emotion := _emotion(entry.label, path)) is None:
            left_out[entry.label] += 1
        elif entry.crowd:
            left_out[CROWD] += 1
        else:
            chosen.append((entry, emotion))
        if not entry.problem and not entry.left_out and entry.file not in source:
            problems[path] = MISSING
    if problems and not chosen:
        path, problem = next(iter(problems.items()))
        others = f', and {len(problems) - 1} more files cannot be used' if len(problems) > 1 else ''
        raise TrainingError(f"'{path}': {problem}{others}; no clip is left")
    sides = side_of({entry.speaker for entry, _ in chosen})
    rows = [
        Row(
            path=f'{source.name}/{entry.file}',
            label=emotion,
            speaker=f'{corpus.name}/{entry.speaker}',
            corpus=corpus.name,
            split=sides[entry.speaker],
            duration=None,
            original_label=entry.label,
        )
        for entry, emotion in chosen
    ]
    named = {entry.speaker for entry in entries if not entry.left_out and not entry.problem}
    files = sum(entry.left_out != COPY for entry in entries)
    return Survey(tuple(sorted(rows, key=lambda row: row.path)), left_out, problems, files, len(named))


def agreed(corpus: Corpus) -> SideOf:
    """Give the split by the speakers agreed on, where there are such; all others are trained on."""
    return lambda speakers: sides_by_name(speakers, corpus.validation, corpus.test)


def load_ravdess(folder: Path) -> list[Clip]:
    """
    Give RAVDESS, ``calm`` as neutral, disgust left out: 1,248 clips of 24 actors, split by the actors agreed on.

    :param folder: Holds ``RAVDESS/`` or ``RAVDESS.tar``.
    :raises TrainingError: when it holds neither, or not all of it.
    """
    return _load(RAVDESS, folder, 'RAVDESS')


def load_nemo(folder: Path) -> list[Clip]:
    """
    Give nEMO: 4,481 clips of 9 speakers, split by the speakers agreed on.

    :param folder: Holds ``nEMO/`` or ``nEMO.tar``.
    :raises TrainingError: when it holds neither, or not all of it.
    """
    return _load(NEMO, folder, 'nEMO')


def _load(corpus: Corpus, folder: Path, name: str) -> list[Clip]:
    source = CorpusSource.find(folder, name)
    if source is None:
        raise TrainingError(
            f"neither '{name}' nor '{name}.tar' is in '{folder}': SER training needs {RAVDESS.title} ({RAVDESS.home}) "
            f'and {NEMO.title} ({NEMO.home}); name the folder that holds both with --data'
        )
    found = survey(corpus, source, agreed(corpus))
    if found.problems:
        path, problem = next(iter(found.problems.items()))
        raise TrainingError(
            f"{len(found.problems)} files of {corpus.title} cannot be used, the first is '{path}' ({problem}): "
            f'complete it, or list what there is with ./emotion manifest {corpus.name} and train on the manifest'
        )
    return [Clip(row, source) for row in found.rows]


def _emotion(label: str, path: str) -> str | None:
    try:
        return to_emotion(label)
    except ModelError as error:
        raise TrainingError(
            f"'{path}' has the label '{label}', which is no emotion that is known: give a corpus of your own as "
            f'folder, with --label {label}=EMOTION, or --label {label}= to leave it out'
        ) from error


def _by_stem(source: CorpusSource, suffixes: tuple[str, ...] = SOUND) -> tuple[dict[str, str], list[Entry]]:
    """Give the file of each name without suffix, the first of ``suffixes`` before the others; and the other copies."""
    files = [file for file in source.files if file.lower().endswith(suffixes)]
    order = {suffix: place for place, suffix in enumerate(suffixes)}
    chosen: dict[str, str] = {}
    copies = []
    for file in sorted(files, key=lambda file: (order[PurePosixPath(file).suffix.lower()], file)):
        if PurePosixPath(file).stem in chosen:
            copies.append(Entry(file, left_out=COPY))
        else:
            chosen[PurePosixPath(file).stem] = file
    return chosen, copies


def _text(source: CorpusSource, file: str) -> str:
    """Read a file of text; raises TrainingError when it is none."""
    try:
        content = source.read(file)
        if content.startswith(POINTER):
            raise TrainingError(f"'{file}' of {source.name} {IS_POINTER}")
        return content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise TrainingError(f"'{file}' of {source.name} is no text in UTF-8 ({error.reason}): get it again") from error
    except OSError as error:
        raise TrainingError(f"'{file}' of {source.name} cannot be read: {error.strerror}") from error


def _table(source: CorpusSource, file: str, columns: Sequence[str], delimiter: str = ',') -> list[dict[str, str]]:
    """Read a table; raises TrainingError when it has not these columns, or a line lacks one."""
    reader = csv.DictReader(io.StringIO(_text(source, file)), delimiter=delimiter)
    rows = []
    try:
        if lacking := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise TrainingError(f"'{file}' of {source.name} has no column {', '.join(lacking)}: get it as published")
        for row in reader:
            if None in (row[name] for name in columns):
                raise TrainingError(f"line {reader.line_num} of '{file}' of {source.name} is cut off: get it again")
            rows.append(row)
    except csv.Error as error:
        raise TrainingError(f"'{file}' of {source.name} is no table: {error}") from error
    return rows


def _named(source: CorpusSource, name: str) -> str | None:
    """Give the first file of that name, in whichever folder."""
    return next((file for file in source.files if PurePosixPath(file).name == name), None)


# RAVDESS: MM-VV-EE-II-SS-RR-AA, see the record at Zenodo.

RAVDESS_NAME = re.compile(r'(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)')
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


def _ravdess_names() -> Iterator[str]:
    """Give the 1,440 names of the speech audio; neutral has no strong intensity."""
    for actor, emotion, intensity, statement, take in product(
        range(1, 25), RAVDESS_EMOTIONS, ('01', '02'), ('01', '02'), ('01', '02')
    ):
        if (emotion, intensity) != ('01', '02'):
            yield f'03-01-{emotion}-{intensity}-{statement}-{take}-{actor:02d}'


def _ravdess(source: CorpusSource) -> Iterator[Entry]:
    files, copies = _by_stem(source, SUFFIXES)
    expected = set(_ravdess_names())
    found = expected & set(files)
    if not found:
        raise TrainingError(f"'{source.name}' holds no file of RAVDESS: {RAVDESS.where}. {RAVDESS.layout}")
    suffix = Counter(PurePosixPath(files[name]).suffix for name in found).most_common(1)[0][0]
    for name in expected:
        fields = name.split('-')
        file = files.get(name, f'Actor_{fields[6]}/{name}{suffix}')
        yield Entry(file, RAVDESS_EMOTIONS[fields[2]], fields[6])
    yield from copies
    for name, file in files.items():
        if name not in expected:
            fields = RAVDESS_NAME.fullmatch(name)
            if fields and fields[2] != '01':
                yield Entry(file, left_out='sung')
            elif fields and fields[1] != '03':
                yield Entry(file, left_out='video (its sound is in the audio files)')
            else:
                yield Entry(file, problem='not a name of RAVDESS (MM-VV-EE-II-SS-RR-AA)')


RAVDESS = Corpus(
    'ravdess',
    'RAVDESS speech audio',
    'zenodo.org, record 1188976 (Audio_Speech_Actors_01-24.zip)',
    'to our knowledge CC BY-NC-SA 4.0',
    'Actor_01/03-01-01-01-01-01-01.wav …: 1,440 files of 24 actors (English, acted), names MM-VV-EE-II-SS-RR-AA.',
    _ravdess,
    validation=('19', '20'),
    test=('21', '22', '23', '24'),
)


# CREMA-D: ActorID_Sentence_Emotion_Level.

CREMA_NAME = re.compile(r'(\d{4})_[A-Z]{3}_([A-Z]{3})_(?:XX|LO|MD|HI)')
CREMA_EMOTIONS = {'ANG': 'anger', 'DIS': 'disgust', 'FEA': 'fear', 'HAP': 'happy', 'NEU': 'neutral', 'SAD': 'sad'}


def _crema(source: CorpusSource) -> Iterator[Entry]:
    names: list[str] = []
    if file := _named(source, 'AudioWAV_files.txt'):
        names = [PurePosixPath(line).stem for line in _text(source, file).split()]
    elif file := _named(source, 'SentenceFilenames.csv'):
        names = [row['Filename'] for row in _table(source, file, ['Filename'])]
    files, copies = _by_stem(source, SUFFIXES)
    if not names and not any(CREMA_NAME.fullmatch(name) for name in files):
        raise TrainingError(f"'{source.name}' holds no file and no list of names of CREMA-D: {CREMA.where}")
    yield from copies
    for name in {*names, *files}:
        fields = CREMA_NAME.fullmatch(name)
        file = files.get(name, f'AudioWAV/{name}.wav')
        if fields and fields[2] in CREMA_EMOTIONS:
            yield Entry(file, CREMA_EMOTIONS[fields[2]], fields[1])
        else:
            yield Entry(file, problem='not a name of CREMA-D (ActorID_Sentence_EMO_Level)')


CREMA = Corpus(
    'crema',
    'CREMA-D',
    'github.com/CheyneyComputerScience/CREMA-D (clone it, then `git lfs pull --include AudioWAV`)',
    'Open Database License 1.0, contents under the Database Contents License 1.0',
    'AudioWAV/1001_DFA_ANG_XX.wav …: 7,442 files of 91 actors (English, acted; no surprise). SentenceFilenames.csv (or '
    'AudioWAV_files.txt, a list of the names) tells which there should be, and is enough for the counts.',
    _crema,
)


# MELD: clips of a television series, in tables of train, dev and test.

MELD_TABLES = {
    'train_sent_emo.csv': 'train_splits',
    'dev_sent_emo.csv': 'dev_splits_complete',
    'test_sent_emo.csv': 'output_repeated_splits_test',
}  # table -> folder of its clips
MELD_COLUMNS = ('Dialogue_ID', 'Utterance_ID', 'Speaker', 'Emotion')
# Groups, a name that is cut off, and two people in one clip ('Ross and Joey', 'Phoebe/Waitress').
MELD_CROWD = re.compile(r'All|Both|The Guys|Her-Friends|an|.+( and |/).+')


def _meld(source: CorpusSource) -> Iterator[Entry]:
    clips = {
        (PurePosixPath(file).parent.name, PurePosixPath(file).stem): file
        for file in source.files
        if file.lower().endswith(SUFFIXES)
    }
    for table, folder in MELD_TABLES.items():
        path = _named(source, table)
        if path is None:
            raise TrainingError(f"'{source.name}' lacks {table}: {MELD.where}. {MELD.layout}")
        for row in _table(source, path, MELD_COLUMNS):
            stem = f'dia{row["Dialogue_ID"]}_utt{row["Utterance_ID"]}'
            speaker = row['Speaker'].strip()
            file = clips.pop((folder, stem), f'{folder}/{stem}.mp4')
            yield Entry(file, row['Emotion'], speaker, crowd=MELD_CROWD.fullmatch(speaker) is not None)
    for file in clips.values():
        yield Entry(file, left_out='clip that no table names')


MELD = Corpus(
    'meld',
    'MELD',
    'github.com/declare-lab/MELD (MELD.Raw.tar.gz and, unpacked inside it, train, dev and test.tar.gz)',
    'GPL-3.0 for texts and labels; the clips are from a television series whose owners have granted nothing',
    'train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv (anywhere), and the clips dia<Dialogue_ID>_utt<Utterance_'
    'ID>.mp4 in train_splits/, dev_splits_complete/ and output_repeated_splits_test/ (English, spontaneous in manner). '
    'Their sound is read through PyAV. The release is known to lack the dev clip dia110_utt7 and to hold a damaged '
    'train clip dia125_utt3.',
    _meld,
    # One of the six leads to validate on, two (a woman, a man) to test on. All guests are trained on: the tables write
    # some of them in several ways, and the actress of Phoebe plays Ursula too.
    validation=('Ross',),
    test=('Chandler', 'Monica'),
)


# nEMO: a table and samples.


def _nemo(source: CorpusSource) -> Iterator[Entry]:
    table = _named(source, 'data.tsv')
    if table is None:
        raise TrainingError(f"'{source.name}' lacks data.tsv: {NEMO.where}. {NEMO.layout}")
    files, copies = _by_stem(source)
    yield from copies
    for row in _table(source, table, ('file_id', 'speaker_id', 'emotion'), '\t'):
        stem = PurePosixPath(row['file_id']).stem
        speaker = row['speaker_id'].strip()  # the table pads it with blanks
        yield Entry(files.pop(stem, f'samples/{stem}.wav'), row['emotion'].strip(), speaker)
    for file in files.values():
        yield Entry(file, problem='not in data.tsv')


NEMO = Corpus(
    'nemo',
    'nEMO',
    'github.com/amu-cai/nEMO',
    'CC BY-NC-SA 4.0',
    'data.tsv and samples/WR0_surprised_64.wav …: 4,481 files of 9 speakers (Polish, acted; no disgust).',
    _nemo,
    validation=('TP0',),
    test=('KD0', 'WR0'),
)


# EmoDB: two digits of the speaker, three signs of the text, a letter of the German emotion, a letter of the version.

EMODB_NAME = re.compile(r'(\d\d)[ab]\d\d([WLEAFTN])[a-z]?')
EMODB_EMOTIONS = {
    'W': 'anger',
    'E': 'disgust',
    'A': 'fear',
    'F': 'happiness',
    'T': 'sadness',
    'N': 'neutral',
}
EMODB_FILES = 535


def _emodb(source: CorpusSource) -> Iterator[Entry]:
    files, copies = _by_stem(source)
    names = {name: EMODB_NAME.fullmatch(name) for name in files}
    found = sum(fields is not None for fields in names.values())
    if not found:
        raise TrainingError(f"'{source.name}' holds no file of EmoDB: {EMODB.where}. {EMODB.layout}")
    yield from copies
    for name, fields in names.items():
        if fields is None:
            yield Entry(files[name], problem='not a name of EmoDB (such as 03a01Fa)')
        elif fields[2] == 'L':
            yield Entry(files[name], 'boredom', fields[1], left_out='boredom')
        else:
            yield Entry(files[name], EMODB_EMOTIONS[fields[2]], fields[1])
    if found < EMODB_FILES:
        yield Entry('wav', problem=f'{EMODB_FILES - found} of its {EMODB_FILES} files are not there; names unknown')


EMODB = Corpus(
    'emodb',
    'EmoDB (Berlin Database of Emotional Speech)',
    'emodb.bilderbar.info (download.zip)',
    'offered freely with the wish to be cited (Burkhardt et al. 2005); no licence is stated there to our knowledge',
    'wav/03a01Fa.wav …: 535 files of 10 speakers (German, acted; no surprise).',
    _emodb,
)


def folder_corpus(name: str, speaker: str | None = None, labels: dict[str, str] | None = None) -> Corpus:
    """
    Make a corpus of a folder as ``emotion_core.layout`` says.

    :param name: Of the corpus, without '/'.
    :param speaker: Regular expression that is searched in the path inside the folder; its first group (or all of
        it) is the speaker. By default the folder inside or around the label's.
    :param labels: Names of folders -> emotion; '' leaves one out.
    :raises TrainingError: when the expression cannot be understood.
    """
    labels = labels or {}
    try:
        pattern = re.compile(speaker or '')
    except re.error as error:
        raise TrainingError(f"--speaker '{speaker}' is no regular expression: {error}") from error

    def entries(source: CorpusSource) -> Iterator[Entry]:
        files = [file for file in source.files if file.lower().endswith(SUFFIXES)]
        others = [file for file in source.files if file.lower().endswith(OTHER)]
        if not any('/' in file for file in files + others):
            raise TrainingError(f"'{source.name}' has no sub-folder with sound: {corpus.layout}")
        for file in others:
            suffix = PurePosixPath(file).suffix.lower()
            yield Entry(file, problem=f'{suffix} is not read: make it .wav or .flac')
        for file in files:
            try:
                label, who = label_and_person(PurePosixPath(file).parts[:-1], labels)
            except InputError as error:
                yield Entry(file, problem=str(error))
                continue
            if speaker is not None:
                found = pattern.search(file)
                who = found and found[pattern.groups and 1]
            if '/' not in file:
                yield Entry(file, problem='in no sub-folder, so without a label')
            elif not who:
                how = 'is not matched by --speaker' if speaker is not None else 'names none: add --speaker REGEX'
                yield Entry(file, problem=f'no speaker: the path {how}')
            elif label in labels and not labels[label]:
                yield Entry(file, left_out=label)
            else:
                yield Entry(file, labels.get(label, label), who)

    corpus = Corpus(
        name,
        f'the corpus {name}',
        'your own disk',
        'licence: yours to state',
        'One sub-folder for each label (an emotion, or a name that --label maps), and inside or around it one for each '
        'speaker (happy/anna/1.wav, anna/happy/1.wav), unless --speaker finds who it is.',
        entries,
    )
    return corpus


CORPORA = {corpus.name: corpus for corpus in (RAVDESS, CREMA, MELD, NEMO, EMODB)}
LICENCES = {corpus.name: f'{corpus.title} ({corpus.home}): {corpus.licence}' for corpus in (RAVDESS, NEMO)}
