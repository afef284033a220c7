"""How people keep pictures and recordings in folders: what each shows, and of whom it is."""

import csv
import os
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from emotion_core.emotions import to_emotion
from emotion_core.errors import InputError, ModelError

LAYOUT = (
    'one folder per emotion (angry/…, happy/…) and, where there are several people, one for each of them inside or '
    'around those (angry/anna/…, anna/angry/…)'
)


class Labelled(NamedTuple):
    """A file, and what is said of it; '' where nothing is."""

    path: Path
    label: str  # in the words of who keeps it
    person: str
    where: str  # that is said


def labelled_files(source: Path, suffixes: Sequence[str]) -> tuple[list[Labelled], list[Path]]:
    """
    List what people keep, in the order of the paths of a folder or of the lines of a table.

    :param source: A folder as LAYOUT says, or a CSV file with the columns path (from the file's own folder on), label
        and, where there are several people, speaker.
    :param suffixes: Of the files in a folder that are asked for; a table may name any.
    :return: These files, and the others in the folder, hidden ones passed by.
    :raises InputError: when the table cannot be read or a line of it lacks something, a path has two labels, or a table
        names one twice.
    """
    if not source.is_dir():
        return _in_table(source), []
    files, others = [], []
    for path in files_below(source):
        *folders, name = path.relative_to(source).parts
        if any(part.startswith('.') for part in (*folders, name)):
            continue
        if path.suffix.lower() in suffixes:
            files.append(Labelled(path, *label_and_person(folders), f"'{path}'"))
        else:
            others.append(path)
    return files, others


def files_below(folder: Path) -> list[Path]:
    """Give the files in a folder and those inside it, sorted; links to folders are followed."""
    return sorted(_walk(folder, ()))


def _walk(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    real = folder.resolve()
    if real in above:  # a link to what it lies in
        return
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise InputError('unreadable folder', f"'{folder}' cannot be read: {error.strerror}") from error
    for path in entries:
        if path.is_dir():
            yield from _walk(path, (*above, real))
        elif path.is_file():
            yield path


def _in_table(table: Path) -> list[Labelled]:
    try:
        with open(table, newline='', encoding='utf-8-sig') as file:
            reader = csv.DictReader(file)
            rows = [(f"'{table}', line {reader.line_num}", row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError('no table', f"cannot read '{table}', which must be a CSV file in UTF-8: {error}") from error
    if not {'path', 'label'} <= set(reader.fieldnames or ()):
        head = ','.join(reader.fieldnames or ())
        raise InputError(
            'no table',
            f"'{table}' begins with the line '{head}': path,label and perhaps speaker are needed, with commas",
        )
    if not rows:
        raise InputError('no table', f"'{table}' has a head line and nothing below: a line for each file is needed")
    files, seen = [], {}
    for where, row in rows:
        if not row['path'] or not row['label']:
            raise InputError('no label', f'{where}: a path and a label are needed')
        first = seen.setdefault(os.path.normpath(row['path']), where)
        if first is not where:
            raise InputError('two labels', f"{where}: '{row['path']}' was named before ({first}): keep one of them")
        files.append(Labelled(table.parent / row['path'], row['label'], (row.get('speaker') or '').strip(), where))
    return files


def label_and_person(folders: Sequence[str], labels: Container[str] = ()) -> tuple[str, str]:
    """
    Tell what a file shows, and of whom, from the folders that it lies in.

    :param folders: Their names, from the collection's own folder on, without it.
    :param labels: Names of labels beside those that ``to_emotion`` knows.
    :return: The folder that names a label (where none does the first one, or ''), and the first of the others or ''.
    :raises InputError: when two of them name labels.
    """
    named = [place for place, folder in enumerate(folders) if folder in labels or _names_emotion(folder)]
    if len(named) > 1:
        raise InputError(
            'two labels',
            f"of '{'/'.join(folders)}' both '{folders[named[0]]}' and '{folders[named[1]]}' name an emotion: "
            'rename one of them',
        )
    place = named[0] if named else 0
    others = [*folders[:place], *folders[place + 1 :]]
    return (folders[place] if folders else ''), (others[0] if others else '')


def _names_emotion(folder: str) -> bool:
    try:
        to_emotion(folder)
    except ModelError:
        return False
    return True
