"""How people keep pictures and recordings in folders: what each shows, and of whom it is."""

from collections.abc import Container, Sequence

from emotion_core.emotions import to_emotion
from emotion_core.errors import InputError, ModelError

LAYOUT = (
    'one folder per emotion (angry/…, happy/…) and, where there are several people, one for each of them inside or '
    'around those (angry/anna/…, anna/angry/…)'
)


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
