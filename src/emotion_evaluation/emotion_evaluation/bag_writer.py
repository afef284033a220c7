"""Writes rosbag2 bags that can be read at any moment, also when the writer is killed or the disk is full."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import mcap.writer
import yaml
from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat, Qos
from rosbags.rosbag2.enums import CompressionMode
from rosbags.rosbag2.metadata import dump_qos_v8
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Writer
from rosbags.typesys.store import Typestore

from emotion_evaluation.definitions import installed_types
from emotion_evaluation.errors import BagError

STORAGES = ('mcap', 'sqlite3')
COMPRESSIONS = {
    'zstd': mcap.writer.CompressionType.ZSTD,
    'lz4': mcap.writer.CompressionType.LZ4,
    'none': mcap.writer.CompressionType.NONE,
}
CHUNK_BYTES = 1 << 20  # before compression
METADATA_VERSION = 5  # Humble's; all later distributions read it
FORMAT = 'cdr'


@dataclass(frozen=True)
class Topic:
    """One topic of a bag that is being written."""

    id: int
    name: str
    type: str
    definition: str  # the .msg text with that of its parts, as MCAP's 'ros2msg' wants it
    digest: str  # REP-2016 type hash
    qos: str  # as YAML


class _Storage(Protocol):
    name: str  # one of STORAGES
    file_name: str

    def add(self, topic: Topic, is_new_type: bool) -> None: ...

    def write(self, topic: Topic, stamp_ns: int, data: bytes) -> None: ...

    def checkpoint(self) -> None: ...

    def close(self) -> None: ...


class BagWriter:
    """
    A rosbag2 folder: ``metadata.yaml`` beside one MCAP or SQLite file.

    After each ``checkpoint`` the bag on disk is complete, with index and metadata; what came after the last one is lost
    when the process dies or something cannot be written. After that nothing more is written, and ``topics`` and
    ``counts`` tell what is on disk. Any thread may call it, one at a time.
    """

    def __init__(self, folder: Path, storage: str = 'mcap', compression: str = 'zstd', types: Typestore | None = None):
        """
        Make the folder and an empty bag.

        :param folder: Must not be there yet.
        :param storage: One of STORAGES.
        :param compression: One of COMPRESSIONS; of the chunks of an MCAP file, SQLite has none.
        :param types: Where the definitions come from; by default the types that are installed.
        :raises BagError: when it is there, or cannot be made.
        """
        self.folder = Path(folder)
        self.topics: dict[str, Topic] = {}
        self.counts: dict[str, int] = {}
        self._saved: dict[str, int] = {}  # the counts at the last checkpoint
        self._failure: BagError | None = None
        self._types = types
        self._start_ns: int | None = None
        self._end_ns = 0
        try:
            self.folder.mkdir(parents=True)
        except FileExistsError as error:
            raise BagError(f"'{self.folder}' is there already: choose another name with -o") from error
        except OSError as error:
            raise BagError(f"cannot make '{self.folder}': {error.strerror}") from error
        with self._writing():
            self._storage: _Storage = _Mcap(self.folder, compression) if storage == 'mcap' else _Sqlite3(self.folder)
        self.checkpoint()

    def add_topic(self, name: str, kind: str, qos: Sequence[Qos] = ()) -> None:
        """
        Announce a topic; a second time does nothing.

        :param kind: As in 'sensor_msgs/msg/Image'.
        :raises BagError: when that type is not installed, the topic is there with another one, or as ``write`` does.
        """
        if name in self.topics:
            if self.topics[name].type != kind:
                raise BagError(f"topic '{name}' has two types, {self.topics[name].type} and {kind}: one is recorded")
            return
        types = installed_types([kind]) if self._types is None else self._types
        text, _ = types.generate_msgdef(kind)
        topic = Topic(len(self.topics) + 1, name, kind, text, types.hash_rihs01(kind), dump_qos_v8(list(qos)))
        with self._writing():
            self._storage.add(topic, all(other.type != kind for other in self.topics.values()))
        self.topics[name] = topic
        self.counts[name] = 0

    def write(self, name: str, stamp_ns: int, data: bytes) -> None:
        """
        Add one message.

        :param name: An announced topic.
        :param stamp_ns: When it was received [ns since the epoch].
        :param data: Serialised, CDR.
        :raises BagError: when the disk is full, or the like.
        """
        with self._writing():
            self._storage.write(self.topics[name], stamp_ns, data)
        self.counts[name] += 1
        self._start_ns = stamp_ns if self._start_ns is None else min(stamp_ns, self._start_ns)
        self._end_ns = max(stamp_ns, self._end_ns)

    def checkpoint(self) -> None:
        """
        Bring the bag on disk up to date.

        :raises BagError: when the disk is full, or the like; what was there at the last checkpoint stays readable.
        """
        new = self.folder / 'metadata.new'
        with self._writing():
            try:
                self._write_metadata(new)  # first, so that the bag on disk changes only where there is room for it too
                self._storage.checkpoint()
                new.replace(self.folder / 'metadata.yaml')
            except BaseException:
                new.unlink(missing_ok=True)
                raise
        self._saved = dict(self.counts)

    def close(self) -> None:
        """
        Bring the bag on disk up to date, unless something could not be written before, and let go of it.

        :raises BagError: as ``checkpoint`` does; the files are closed all the same.
        """
        try:
            if self._failure is None:
                self.checkpoint()
        finally:
            self._storage.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn what the operating system and SQLite say into a BagError, the last that this writer does."""
        if self._failure is not None:
            raise self._failure
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, 'strerror', None) or str(error)
            self._failure = BagError(
                f"cannot write to '{self.folder}': {reason}; all but the last moments of the recording is there"
            )
            self.counts = dict(self._saved)
            self.topics = {name: topic for name, topic in self.topics.items() if name in self._saved}
            raise self._failure from error

    def _write_metadata(self, path: Path) -> None:
        start_ns = self._start_ns or 0
        span = {
            'duration': {'nanoseconds': max(self._end_ns - start_ns, 0)},
            'starting_time': {'nanoseconds_since_epoch': start_ns},
            'message_count': sum(self.counts.values()),
        }
        information = {
            'version': METADATA_VERSION,
            'storage_identifier': self._storage.name,
            **span,
            'topics_with_message_count': [
                {
                    'topic_metadata': {
                        'name': topic.name,
                        'type': topic.type,
                        'serialization_format': FORMAT,
                        'offered_qos_profiles': topic.qos,
                    },
                    'message_count': self.counts[topic.name],
                }
                for topic in self.topics.values()
            ],
            'compression_format': '',
            'compression_mode': '',
            'relative_file_paths': [self._storage.file_name],
            'files': [{'path': self._storage.file_name, **span}],
        }
        path.write_text(yaml.safe_dump({'rosbag2_bagfile_information': information}, sort_keys=False))


class _Tail:
    """
    What the MCAP writer writes to: bytes that are gathered until ``commit`` writes them in one piece.

    They replace the summary at the end of the file, so that the file has one at any time.
    """

    def __init__(self, path: Path):
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        self._begin = 0  # where in the file the gathered bytes go
        self._gathered = bytearray()
        self._summary = b''  # what is in the file from _begin on

    def write(self, data: bytes) -> int:  # the interface of a file, as far as MCAP needs it
        self._gathered += data
        return len(data)

    def tell(self) -> int:
        return self._begin + len(self._gathered)

    def flush(self) -> None:
        """Nothing: see ``commit``."""

    def commit(self, end: int) -> None:
        """Write what was gathered; what lies beyond ``end`` is a summary, to be replaced by the next commit."""
        try:
            self._write(bytes(self._gathered))
        except OSError:
            os.ftruncate(self._file, self._begin)  # gives the room that the old summary needs
            self._write(self._summary)
            self._gathered.clear()
            raise
        self._summary = bytes(self._gathered[end - self._begin :])
        self._begin = end
        self._gathered.clear()

    def _write(self, data: bytes) -> None:
        view, place = memoryview(data), self._begin
        while view:
            written = os.pwrite(self._file, view, place)
            view, place = view[written:], place + written

    def close(self) -> None:
        os.close(self._file)


class _Mcap:
    name = 'mcap'

    def __init__(self, folder: Path, compression: str):
        self.file_name = f'{folder.name}.mcap'
        self._tail = _Tail(folder / self.file_name)
        # Summary offsets are left out: they are optional, and ``finish`` can then be called again and again.
        self._writer = mcap.writer.Writer(
            self._tail, chunk_size=CHUNK_BYTES, compression=COMPRESSIONS[compression], use_summary_offsets=False
        )
        self._writer.start(profile='ros2', library='emotion_ros')
        self._schemas: dict[str, int] = {}
        self._channels: dict[int, int] = {}

    def add(self, topic: Topic, is_new_type: bool) -> None:
        if is_new_type:
            self._schemas[topic.type] = self._writer.register_schema(topic.type, 'ros2msg', topic.definition.encode())
        self._channels[topic.id] = self._writer.register_channel(
            topic.name,
            FORMAT,
            self._schemas[topic.type],
            {'offered_qos_profiles': topic.qos, 'topic_type_hash': topic.digest},
        )

    def write(self, topic: Topic, stamp_ns: int, data: bytes) -> None:
        self._writer.add_message(self._channels[topic.id], stamp_ns, data, stamp_ns)

    def checkpoint(self) -> None:
        self._writer.flush()
        end = self._tail.tell()
        self._writer.finish()
        self._tail.commit(end)

    def close(self) -> None:
        self._tail.close()


class _Sqlite3:
    name = 'sqlite3'

    def __init__(self, folder: Path):
        self._writer = Sqlite3Writer(folder, CompressionMode.NONE)
        self._writer.conn.close()
        # One thread may make a bag and another write it, in turns.
        self._writer.conn = sqlite3.connect(self._writer.path, check_same_thread=False)
        self._writer.cursor = self._writer.conn.cursor()
        self._writer.conn.execute('PRAGMA cache_spill = OFF')  # the file changes only with a commit
        self.file_name = self._writer.path.name
        self._connections: dict[int, Connection] = {}

    def add(self, topic: Topic, is_new_type: bool) -> None:
        definition = MessageDefinition(MessageDefinitionFormat.MSG, topic.definition)
        connection = Connection(
            topic.id, topic.name, topic.type, definition, topic.digest, 0, ConnectionExtRosbag2(FORMAT, []), None
        )
        if is_new_type:
            self._writer.add_msgtype(connection)
        self._writer.add_connection(connection, topic.qos)
        self._connections[topic.id] = connection

    def write(self, topic: Topic, stamp_ns: int, data: bytes) -> None:
        self._writer.write(self._connections[topic.id], stamp_ns, data)

    def checkpoint(self) -> None:
        self._writer.conn.commit()

    def close(self) -> None:
        self._writer.conn.close()
