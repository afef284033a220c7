"""Reads rosbag2 bags of any origin: folders, single MCAP and SQLite files; also those that were cut off."""

import os
import sqlite3
import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mcap.exceptions
import mcap.writer
import yaml
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection, Nodetype, Qos
from rosbags.typesys.store import Typestore

from emotion_core.errors import InputError
from emotion_evaluation.definitions import known_types
from emotion_evaluation.errors import BagError

SUFFIXES = ('.mcap', '.db3')
# What a metadata.yaml has in all versions, in whatever order.
METADATA = {'version', 'storage_identifier', 'duration', 'starting_time', 'message_count', 'topics_with_message_count'}
METADATA |= {'relative_file_paths'}
MCAP_MAGIC = b'\x89MCAP0\r\n'


@dataclass(frozen=True)
class Record:
    """One message of a bag, not yet deserialised."""

    topic: str
    type: str  # as in 'sensor_msgs/msg/Image'
    received_ns: int  # when the recorder got it [ns since the epoch]
    data: bytes


@dataclass(frozen=True)
class TopicInfo:
    """What a bag holds of one topic."""

    name: str
    type: str
    count: int
    qos: tuple[Qos, ...]
    other_types: tuple[str, ...] = ()  # of messages that are of no use


class Bag:
    """An open bag; a context manager."""

    def __init__(self, path: Path):
        """
        Open a bag.

        :param path: A rosbag2 folder, or an ``.mcap`` or ``.db3`` file.
        :raises BagError: when it cannot be read, naming the file.
        """
        self.path = Path(path)
        self.notice = ''  # what was wrong with it, although it can be read
        self._stack = ExitStack()
        self._mistakes: dict[tuple[str, str], tuple[str, str] | None] = {}  # kind and sentence by topic and type
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> 'Bag':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the bag."""
        self._stack.close()

    @property
    def name(self) -> str:
        """The name of the folder, or of the file without its suffix."""
        return _place(self.path).name

    @property
    def files(self) -> list[Path]:
        """The files that hold the messages."""
        if self.path.is_file():
            return [self.path]
        return sorted(path for path in self.path.iterdir() if path.suffix in (*SUFFIXES, '.zstd'))

    @property
    def topics(self) -> dict[str, TopicInfo]:
        """All topics by name; one that was recorded with several types has the first."""
        found: dict[str, TopicInfo] = {}
        for connection in self._reader.connections:
            known = found.get(connection.topic)
            count = connection.msgcount + (known.count if known else 0)
            qos = known.qos if known else tuple(getattr(connection.ext, 'offered_qos_profiles', ()))
            kind = known.type if known else connection.msgtype
            others = {*(known.other_types if known else ()), connection.msgtype} - {kind}
            found[connection.topic] = TopicInfo(connection.topic, kind, count, qos, tuple(sorted(others)))
        return found

    @property
    def start_ns(self) -> int:
        """When the first message was received [ns since the epoch]; 0 for an empty bag."""
        return self._reader.start_time if self._reader.message_count else 0

    @property
    def end_ns(self) -> int:
        """When the last message was received [ns since the epoch]; 0 for an empty bag."""
        return self._reader.end_time - 1 if self._reader.message_count else 0

    @property
    def count(self) -> int:
        """Number of messages."""
        return self._reader.message_count

    def type_digest(self, kind: str) -> str:
        """Give the REP-2016 hash of a type as this bag defines it."""
        return self._reader.typestore.hash_rihs01(kind)

    def read(
        self, topics: Collection[str] | None = None, start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[Record]:
        """
        Give messages in the order in which they were received.

        :param topics: Only these; None: all.
        :param start_ns: Only those from then on.
        :param end_ns: Only those before then.
        :raises BagError: where the file is damaged, naming what comes before it.
        """
        wanted = [item for item in self._reader.connections if topics is None or item.topic in topics]
        if not wanted:
            return
        last: tuple[Connection, int] | None = None
        try:
            for connection, received_ns, data in self._reader.messages(wanted, start_ns, end_ns):
                last = connection, received_ns
                yield Record(connection.topic, connection.msgtype, received_ns, data)
        except Exception as error:  # rosbags lets through whatever its decoders and SQLite raise
            where = (
                f'after a message of {last[0].topic} at {(last[1] - self.start_ns) / 1e9:.3f} s' if last else 'at once'
            )
            raise BagError(f"'{self.path}' is damaged: reading fails {where} ({error})") from error

    def deserialize(self, record: Record) -> Any:
        """
        Give a message with the fields that the bag defines; sequences of numbers are numpy arrays.

        :raises InputError: when the bytes are not such a message, or it is none of the type that its topic has here.
        """
        self._check_type(record.topic, record.type)
        try:
            return self._reader.deserialize(record.data, record.type)
        except Exception as error:  # whatever the generated decoder stumbles over
            raise InputError(
                'damaged message',
                f'{record.topic}: {len(record.data)} bytes are no {record.type} ({type(error).__name__}: {error})',
            ) from error

    def _check_type(self, topic: str, kind: str) -> None:
        if (topic, kind) not in self._mistakes:
            self._mistakes[topic, kind] = self._find_mistake(topic, kind)
        if self._mistakes[topic, kind] is not None:
            raise InputError(*self._mistakes[topic, kind])

    def _find_mistake(self, topic: str, kind: str) -> tuple[str, str] | None:
        first = self.topics[topic].type
        if kind != first:
            return 'two types', f'{topic}: it has two types, {first} and {kind}: the second is left out'
        missing = _missing_fields(kind, known_types(), self._reader.typestore)
        if missing:
            return (
                'other fields',
                f"{topic}: the bag's {kind} is not the one of that name here: no {', '.join(missing)}",
            )
        return None

    def _open(self) -> None:
        paths = self._usable(self.path)
        try:
            self._reader = AnyReader(paths, default_typestore=known_types())
            self._reader.open()
        except Exception as error:  # of rosbags' parsers and SQLite binding, which have no common base
            raise BagError(f"'{self.path}' cannot be read as a bag: {type(error).__name__}: {error}") from error
        self._stack.callback(self._reader.close)

    def _usable(self, path: Path) -> list[Path]:
        """Give the paths of a bag that can be read: its folder or files, or a mended copy."""
        if not path.exists():
            raise BagError(f"there is no bag '{path}'")
        if path.is_file():
            if path.suffix == '.bag':
                raise BagError(
                    f"'{path}' is a ROS 1 bag: `rosbags-convert --src {path} --dst NEW` makes a ROS 2 bag of it"
                )
            if path.suffix not in SUFFIXES:
                raise BagError(f"'{path}' is no bag: a rosbag2 folder, or a file {', '.join(SUFFIXES)} is needed")
            files = paths = [path]
        else:
            files = sorted(item for item in path.iterdir() if item.suffix in SUFFIXES)
            paths = [path]
            has_metadata = (path / 'metadata.yaml').is_file()
            if not has_metadata or (files and not _has_information(path / 'metadata.yaml')):
                if not files:
                    raise BagError(
                        f"'{path}' is no bag: it holds neither metadata.yaml nor a file {', '.join(SUFFIXES)}"
                    )
                if len(files) > 1 and not _are_parts(files):
                    names = ', '.join(file.name for file in files)
                    raise BagError(f"'{path}' holds {len(files)} bags: name one of them, or a folder of one; {names}")
                self.notice = 'its metadata.yaml is damaged' if has_metadata else 'it has no metadata.yaml'
                paths = files
        for file in files:
            _roll_back(file)
        broken = [file for file in files if file.suffix == '.mcap' and not _is_complete(file)]
        return [self._mended(files)] if broken and all(file.suffix == '.mcap' for file in files) else paths

    def _mended(self, files: list[Path]) -> Path:
        """Copy what can be read of MCAP files to a temporary one; ``ros2 bag reindex`` would do it in place."""
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix='emotion_bag_')))
        target = folder / f'{self.name}.mcap'
        count, where = _recover(files, target)
        if count == 0:
            raise BagError(f"'{self.path}' holds no whole message: {where}")
        found = f'the file was not closed: {where}; the {count} messages before are there'
        self.notice = '; '.join(filter(None, (self.notice, found)))
        return target


def labels_beside(bag: Path) -> Path:
    """Give where the labels of a bag are, unless somebody says otherwise: ``walk.csv`` beside ``walk``."""
    place = _place(bag)
    return place.with_name(f'{place.name}.csv')


def find_bags(path: Path) -> list[Path]:
    """Give the bag at a path, or all bags below a folder that is none, in the order of their names."""
    path = Path(path)
    if not path.is_dir() or (path / 'metadata.yaml').is_file():
        return [path]
    found = {file.parent for file in path.rglob('metadata.yaml')}
    alone: dict[Path, list[Path]] = {}
    for file in sorted(file for suffix in SUFFIXES for file in path.rglob(f'*{suffix}') if file.parent not in found):
        alone.setdefault(file.parent, []).append(file)
    if not found and len(alone.get(path, ())) == 1 == len(alone):  # it has lost its metadata
        return [path]
    for folder, files in alone.items():
        found |= {folder} if len(files) > 1 and _are_parts(files) else set(files)
    return sorted(found) or [path]


def _are_parts(files: list[Path]) -> bool:
    """Tell whether files are those of one recording that was split: NAME_0, NAME_1, …"""
    stem = files[0].stem.rpartition('_')[0]
    return {file.stem for file in files} == {f'{stem}_{number}' for number in range(len(files))}


def _has_information(path: Path) -> bool:
    """Tell whether a metadata.yaml can be read to its end."""
    try:
        information = yaml.safe_load(path.read_text(encoding='utf-8'))['rosbag2_bagfile_information']
        return METADATA <= set(information)
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return False


def _missing_fields(kind: str, known: Typestore, found: Typestore) -> list[str]:
    """Give the fields of a type, and of its parts, that its definition in a bag lacks or has of another kind."""
    if kind not in known.fielddefs or kind not in found.fielddefs:
        return []

    def shape(description: tuple) -> tuple:
        node, value = description
        if node == Nodetype.NAME:
            return (value,)
        return ('text' if value[0] == 'string' else 'number',) if node == Nodetype.BASE else ('list', *shape(value[0]))

    there = {name: shape(description) for name, description in found.fielddefs[kind][1]}
    missing = []
    for name, description in known.fielddefs[kind][1]:
        wanted = shape(description)
        if there.get(name) != wanted:
            missing.append(name)
        else:
            missing += [f'{name}.{part}' for part in _missing_fields(wanted[-1], known, found)]
    return missing


def _place(path: Path) -> Path:
    """Give the absolute path of a bag; of a file without its suffix, while 'walk.1' may be a folder's whole name."""
    place = Path(os.path.abspath(path))
    return place.with_suffix('') if place.is_file() else place


def _is_complete(path: Path) -> bool:
    """Tell whether an MCAP file ends as it should; ReadErrors are for the reader."""
    with open(path, 'rb') as file:
        size = file.seek(0, 2)
        if size < 2 * len(MCAP_MAGIC):
            return False
        file.seek(-len(MCAP_MAGIC), 2)
        return file.read() == MCAP_MAGIC


def _roll_back(path: Path) -> None:
    """Let SQLite undo a transaction that was cut off; rosbags' reader takes no notice of journals."""
    journals = [path.with_name(path.name + suffix) for suffix in ('-journal', '-wal')]
    if path.suffix == '.db3' and any(journal.exists() for journal in journals):
        # What is read-only, or damaged, the reader will say.
        with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
            connection.execute('SELECT count(*) FROM sqlite_master').fetchone()
            connection.execute('PRAGMA wal_checkpoint(TRUNCATE)')


def _recover(files: list[Path], target: Path) -> tuple[int, str]:
    """Copy the whole records of MCAP files; gives the number of messages, and where and why the copy ended."""
    count, end, broken = 0, 'it is empty', []
    with open(target, 'wb') as out:
        writer = mcap.writer.Writer(out)
        writer.start(profile='ros2')
        for path in files:
            schemas: dict[int, int] = {0: 0}
            channels: dict[int, int] = {}
            with open(path, 'rb') as file:
                try:
                    for record in StreamReader(file).records:
                        if isinstance(record, Schema) and record.id not in schemas:
                            schemas[record.id] = writer.register_schema(record.name, record.encoding, record.data)
                        elif isinstance(record, Channel) and record.id not in channels:
                            channels[record.id] = writer.register_channel(
                                record.topic, record.message_encoding, schemas[record.schema_id], record.metadata
                            )
                        elif isinstance(record, Message):
                            writer.add_message(
                                channels[record.channel_id], record.log_time, record.data, record.publish_time
                            )
                            count += 1
                    end = f"'{path.name}' ends after byte {file.tell()}"
                except Exception as error:  # the end of the file in the middle of anything
                    size = path.stat().st_size
                    broken.append(
                        f"'{path.name}' {f'breaks off at byte {file.tell()} of {size}' if size else 'is empty'}"
                    )
                    if isinstance(error, mcap.exceptions.McapError) and str(error):
                        broken[-1] += f' ({error})'
        writer.finish()
    return count, ', '.join(broken) or end
