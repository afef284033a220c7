"""What a subject truly shows, and when: intervals, their CSV file, and the topic ``emotion/ground_truth``."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

from emotion_core.emotions import EMOTIONS, to_emotion
from emotion_core.errors import ModelError
from emotion_core.stamps import NS_PER_S
from emotion_evaluation.errors import LabelError

TOPIC, TYPE = 'emotion/ground_truth', 'emotion_msgs/msg/GroundTruth'
EVERYONE = ''
COLUMNS = ('start', 'end', 'subject', 'label')
EPOCH_S = (
    100_000_000  # times from here on are seconds since the epoch, smaller ones count from the beginning of the bag
)


@dataclass(frozen=True, order=True)
class Interval:
    """One emotion of one subject, from ``start_ns`` until before ``end_ns`` [ns since the epoch]."""

    start_ns: int
    end_ns: int
    subject: str  # EVERYONE, the id of a face track, or any name of a person
    label: str  # one of EMOTIONS

    @property
    def emotion(self) -> int:
        """Index into EMOTIONS."""
        return EMOTIONS.index(self.label)


@dataclass(frozen=True)
class Mark:
    """From here on a subject shows this, until the next mark about the same subject."""

    stamp_ns: int
    subject: str
    label: str  # one of EMOTIONS; '', or one that is left out: unknown from here on


def intervals_of(marks: Iterable[Mark], end_ns: int) -> list[Interval]:
    """
    Turn marks into intervals.

    :param marks: In the order in which they came; one takes back those of its subject that are of its stamp or later.
    :param end_ns: Where those that are open end.
    :raises LabelError: for a label that is none.
    """
    intervals, open_marks = [], {}
    for mark in sorted(_valid(marks), key=lambda mark: mark.stamp_ns):
        before = open_marks.pop(mark.subject, None)
        if before is not None and mark.stamp_ns > before.stamp_ns:
            intervals.append(Interval(before.stamp_ns, mark.stamp_ns, mark.subject, before.label))
        label = _label(mark.label, TOPIC) if mark.label else ''
        if label:
            open_marks[mark.subject] = Mark(mark.stamp_ns, mark.subject, label)
    intervals += [Interval(mark.stamp_ns, end_ns, mark.subject, mark.label) for mark in open_marks.values()]
    return sorted(interval for interval in intervals if interval.end_ns > interval.start_ns)


def _valid(marks: Iterable[Mark]) -> list[Mark]:
    """Give the marks that no later one has taken back, nor only says again what held before it did so."""
    valid: dict[str, list[Mark]] = {}
    for mark in marks:
        before = valid.setdefault(mark.subject, [])
        takes_back = bool(before) and before[-1].stamp_ns >= mark.stamp_ns
        while before and before[-1].stamp_ns >= mark.stamp_ns:
            before.pop()
        if not takes_back or mark.label != (before[-1].label if before else ''):
            before.append(mark)
    return [mark for before in valid.values() for mark in before]


def within(intervals: Iterable[Interval], start_ns: int, end_ns: int) -> list[Interval]:
    """Give the parts of intervals that lie between two times."""
    parts = (
        replace(interval, start_ns=max(interval.start_ns, start_ns), end_ns=min(interval.end_ns, end_ns))
        for interval in intervals
    )
    return [part for part in parts if part.end_ns > part.start_ns]


def marks_of(intervals: Iterable[Interval]) -> list[Mark]:
    """Turn intervals into marks, in the order of their stamps."""
    intervals = list(intervals)
    begins = {(interval.start_ns, interval.subject) for interval in intervals}
    marks = [Mark(interval.start_ns, interval.subject, interval.label) for interval in intervals]
    marks += [
        Mark(interval.end_ns, interval.subject, '')
        for interval in intervals
        if (interval.end_ns, interval.subject) not in begins
    ]
    return sorted(marks, key=lambda mark: (mark.stamp_ns, mark.subject))


def read_csv(path: Path, origin_ns: int) -> list[Interval]:
    """
    Read ``start,end,subject,label``; an empty end lasts until the next start of the same subject.

    An emotion that is left out (disgust) is no interval.

    :param origin_ns: What times below 1e8 s count from: the beginning of the bag.
    :raises LabelError: naming the line that cannot be used.
    """
    path = Path(path)
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            table = csv.DictReader(file)
            rows, columns = list(table), [name for name in table.fieldnames or () if name]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelError(f"cannot read the labels '{path}': {getattr(error, 'strerror', None) or error}") from error
    if not set(COLUMNS) <= set(columns):
        raise LabelError(f"'{path}' needs the columns {','.join(COLUMNS)}, it has {','.join(columns) or 'none'}")
    found: list[Interval] = []
    for number, row in enumerate(rows, start=2):
        where = f"'{path}', line {number}"
        start_ns = _time(row['start'], origin_ns, where)
        subject, label = (row['subject'] or '').strip(), _label(row['label'] or '', where)
        if (row['end'] or '').strip():
            end_ns = _time(row['end'], origin_ns, where)
        else:
            later = [
                _time(other['start'], origin_ns, f"'{path}', line {after}")
                for after, other in enumerate(rows[number - 1 :], start=number + 1)
                if (other['subject'] or '').strip() == subject
            ]
            if not later:
                raise LabelError(f'{where}: the last interval of a subject needs an end')
            end_ns = min(later)
        if end_ns <= start_ns:
            raise LabelError(f'{where}: the end {row["end"]} is not after the start {row["start"]}')
        if label:
            found.append(Interval(start_ns, end_ns, subject, label))
    found.sort()
    by_subject = sorted(found, key=lambda item: (item.subject, item.start_ns))
    for before, after in zip(by_subject, by_subject[1:]):
        if before.subject == after.subject and after.start_ns < before.end_ns:
            raise LabelError(
                f"'{path}': two intervals of subject '{before.subject}' overlap, "
                f'{before.label} and {after.label} at {(after.start_ns - origin_ns) / NS_PER_S:.3f} s'
            )
    return found


def write_csv(path: Path, intervals: Sequence[Interval], origin_ns: int) -> None:
    """
    Write intervals in seconds from ``origin_ns``; 0 writes them since the epoch.

    :raises LabelError: when the file cannot be written.
    """
    path = Path(path)
    new = path.with_name(f'.{path.name}.new')
    try:
        with open(new, 'w', newline='', encoding='utf-8') as file:
            writer = csv.writer(file, lineterminator='\n')
            writer.writerow(COLUMNS)
            for item in sorted(intervals):
                # Exact: rounded, one that lasted less than that would end as it begins.
                times = (Decimal(ns - origin_ns) / NS_PER_S for ns in (item.start_ns, item.end_ns))
                writer.writerow([*(f'{seconds:.9f}' for seconds in times), item.subject, item.label])
        new.replace(path)
    except OSError as error:
        raise LabelError(f"cannot write the labels to '{path}': {error.strerror}") from error


def _time(text: str | None, origin_ns: int, where: str) -> int:
    try:
        seconds = Decimal((text or '').strip())  # a float has no nanoseconds left this long after 1970
    except InvalidOperation as error:
        raise LabelError(f"{where}: '{text}' is no time in seconds") from error
    if not seconds.is_finite() or seconds < 0:
        raise LabelError(f"{where}: '{text}' is no time in seconds")
    return int(seconds * NS_PER_S) + (0 if seconds >= EPOCH_S else origin_ns)


def _label(name: str, where: str) -> str:
    """Give one of EMOTIONS, or '' for one that is left out."""
    try:
        return to_emotion(name) or ''
    except ModelError as error:
        raise LabelError(f"{where}: '{name}' is none of {', '.join(EMOTIONS)}") from error
