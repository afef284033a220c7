import errno
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from bags import START_NS, STRING, write_strings
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader

from emotion_evaluation.bag import Bag, find_bags
from emotion_evaluation.errors import BagError

HERE = Path(__file__).parent


def words_of(folder):
    """Read with the public library alone, and without a definition from here."""
    with AnyReader([folder]) as reader:
        return [reader.deserialize(data, item.msgtype).data for item, _, data in reader.messages()]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_what_is_written_is_read_by_others_with_the_definitions_inside(tmp_path, storage):
    folder = tmp_path / 'bag'
    write_strings(folder, storage=storage)
    assert words_of(folder) == [f'word {number}' for number in range(20)]
    information = yaml.safe_load((folder / 'metadata.yaml').read_text())['rosbag2_bagfile_information']
    assert (information['version'], information['storage_identifier']) == (5, storage)
    assert information['message_count'] == 20
    assert information['starting_time']['nanoseconds_since_epoch'] == START_NS
    assert information['duration']['nanoseconds'] == 1_900_000_000
    assert [(folder / name).is_file() for name in information['relative_file_paths']] == [True]
    with Bag(folder) as bag:
        assert bag.topics['/words'].count == 20 and bag.notice == ''


def test_file_has_chunks_that_are_compressed_an_index_and_a_ros2_profile(tmp_path):
    write_strings(tmp_path / 'bag')
    with open(tmp_path / 'bag' / 'bag.mcap', 'rb') as file:
        reader = make_reader(file)
        assert reader.get_header().profile == 'ros2'
        summary = reader.get_summary()
    assert {index.compression for index in summary.chunk_indexes} == {'zstd'} and len(summary.chunk_indexes) == 4
    assert summary.statistics.message_count == 20
    schema = next(iter(summary.schemas.values()))
    assert (schema.name, schema.encoding) == ('std_msgs/msg/String', 'ros2msg') and b'string data' in schema.data


def test_same_messages_give_the_same_bytes(tmp_path):
    for name in ('one', 'two'):
        write_strings(tmp_path / name / 'bag')
    one, two = ((tmp_path / name / 'bag' / 'bag.mcap').read_bytes() for name in ('one', 'two'))
    assert one == two


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_killed_writer_leaves_a_bag_that_everybody_reads(tmp_path, storage):
    code = (
        f'import os, signal, sys; sys.path.insert(0, {str(HERE)!r}); from bags import write_strings; '
        f'from pathlib import Path; write_strings(Path({str(tmp_path / "bag")!r}), 18, {storage!r}, close=False); '
        'os.kill(os.getpid(), signal.SIGKILL)'
    )
    assert subprocess.run([sys.executable, '-c', code]).returncode == -signal.SIGKILL
    assert words_of(tmp_path / 'bag') == [f'word {number}' for number in range(15)]
    with Bag(tmp_path / 'bag') as bag:
        assert bag.count == 15


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_full_disk_stops_with_a_sentence_and_keeps_what_was_there(tmp_path, storage):
    limit = 60_000 if storage == 'sqlite3' else 3_000
    code = (
        f'import resource, sys; sys.path.insert(0, {str(HERE)!r}); from bags import write_strings; '
        f'from pathlib import Path; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n'
        f'try: write_strings(Path({str(tmp_path / "bag")!r}), 5000, {storage!r})\n'
        'except Exception as error: print(type(error).__name__, error)'
    )
    said = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout
    assert said.startswith('BagError cannot write to') and 'is there' in said
    words = words_of(tmp_path / 'bag')
    assert len(words) >= 5 and words == [f'word {number}' for number in range(len(words))]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != limit  # only the child's


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_nothing_is_written_or_counted_after_the_disk_was_full(tmp_path, storage, monkeypatch):
    room = 300_000
    pwrite = os.pwrite

    def pwrite_while_there_is_room(file, data, place):
        if place + len(data) > room:
            raise OSError(errno.ENOSPC, 'No space left on device')
        return pwrite(file, data, place)

    monkeypatch.setattr(os, 'pwrite', pwrite_while_there_is_room)
    writer = write_strings(tmp_path / 'bag', storage=storage, close=False)
    if storage == 'sqlite3':
        writer._storage._writer.conn.execute(f'PRAGMA max_page_count = {room // 4096}')
    random = np.random.default_rng(0)  # gives what cannot be compressed
    with pytest.raises(BagError, match='cannot write to'):
        for number in range(20):
            writer.write('/words', START_NS, random.bytes(60_000))
            if number % 2:
                writer.checkpoint()
    with pytest.raises(BagError, match='cannot write to'):
        writer.write('/words', START_NS, b'')
    writer.close()
    with Bag(tmp_path / 'bag') as bag:
        assert len(list(bag.read())) == bag.count == writer.counts['/words'] == 24 and bag.notice == ''
    information = yaml.safe_load((tmp_path / 'bag' / 'metadata.yaml').read_text())['rosbag2_bagfile_information']
    assert information['message_count'] == 24 and len(list((tmp_path / 'bag').iterdir())) == 2


def test_file_cut_off_anywhere_keeps_the_whole_messages_before(tmp_path):
    write_strings(tmp_path / 'bag')
    path = tmp_path / 'bag' / 'bag.mcap'
    whole = path.read_bytes()
    counts = []
    for size in range(len(whole) - 1, 900, -97):
        os.truncate(path, size)
        try:
            with Bag(tmp_path / 'bag') as bag:
                words = [bag.deserialize(record).data for record in bag.read()]
                assert 'byte' in bag.notice
        except BagError as error:
            assert 'no whole message' in str(error)
            words = []
        assert words == [f'word {number}' for number in range(len(words))]
        counts.append(len(words))
    assert counts[0] == 20 and sorted(counts, reverse=True) == counts


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('files', [1, 2])
def test_bag_without_metadata_is_read(tmp_path, storage, files):
    write_strings(tmp_path / 'bag', storage=storage)
    (tmp_path / 'bag' / 'metadata.yaml').unlink()
    (path,) = (tmp_path / 'bag').iterdir()
    path = path.rename(path.with_stem('bag_0'))
    for number in range(1, files):
        shutil.copy(path, path.with_stem(f'bag_{number}'))
    with Bag(tmp_path / 'bag') as bag:
        assert bag.count == bag.topics['/words'].count == 20 * files and bag.notice == 'it has no metadata.yaml'
        assert [bag.deserialize(record).data for record in bag.read()][-1] == 'word 19'


def test_what_a_killed_recorder_left_in_a_write_ahead_log_is_read(tmp_path):
    write_strings(tmp_path / 'whole', storage='sqlite3')
    database = sqlite3.connect(tmp_path / 'whole' / 'whole.db3')
    database.execute('PRAGMA journal_mode = WAL')
    with database:
        database.execute(
            'INSERT INTO messages(topic_id, timestamp, data) SELECT topic_id, timestamp, data FROM messages'
        )
    (tmp_path / 'bag').mkdir()
    for path in (tmp_path / 'whole').glob('whole.db3*'):
        shutil.copy(path, tmp_path / 'bag')
    database.close()
    with Bag(tmp_path / 'bag') as bag:
        assert bag.count == 40


def test_bag_with_metadata_that_breaks_off_is_read(tmp_path):
    write_strings(tmp_path / 'bag')
    path = tmp_path / 'bag' / 'metadata.yaml'
    text = path.read_text()
    for size in (0, 50, len(text) // 2):
        path.write_text(text[:size])
        with Bag(tmp_path / 'bag') as bag:
            assert len(list(bag.read())) == 20 and bag.notice.startswith('its metadata.yaml is damaged')


def test_part_that_breaks_off_is_named(tmp_path):
    write_strings(tmp_path / 'bag')
    whole = (tmp_path / 'bag' / 'bag.mcap').read_bytes()
    (tmp_path / 'split').mkdir()
    (tmp_path / 'split' / 'x_0.mcap').write_bytes(whole[:-100])
    (tmp_path / 'split' / 'x_1.mcap').write_bytes(whole)
    with Bag(tmp_path / 'split') as bag:
        assert len(list(bag.read())) == 40 and "'x_0.mcap' breaks off at byte" in bag.notice


def test_files_without_metadata_are_bags_of_their_own_unless_they_are_parts_of_one(tmp_path):
    write_strings(tmp_path / 'whole')
    names = ('clips/happy_01', 'clips/happy_02', 'split/x_0', 'split/x_1', 'tree/a/b/c', 'tree/stray', 'lost/lost_0')
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / 'whole' / 'whole.mcap', tmp_path / f'{name}.mcap')
    write_strings(tmp_path / 'tree' / 'jump')

    def found(name):
        return [str(path.relative_to(tmp_path)) for path in find_bags(tmp_path / name)]

    assert found('clips') == ['clips/happy_01.mcap', 'clips/happy_02.mcap']
    assert found('split') == ['split'] and found('lost') == ['lost'] and found('whole') == ['whole']
    assert found('tree') == ['tree/a/b/c.mcap', 'tree/jump', 'tree/stray.mcap']
    assert found('') == [*found('clips'), 'lost/lost_0.mcap', 'split', *found('tree'), 'whole']
    with pytest.raises(BagError, match='holds 2 bags.*happy_01.mcap, happy_02.mcap'):
        Bag(tmp_path / 'clips')


def test_folder_that_is_there_is_not_touched(tmp_path):
    with pytest.raises(BagError, match='is there already'):
        write_strings(tmp_path)


def test_type_that_is_not_installed_is_named(tmp_path):
    from emotion_evaluation.bag_writer import BagWriter

    writer = BagWriter(tmp_path / 'bag')
    with pytest.raises(BagError, match='nobody_msgs'):
        writer.add_topic('/x', 'nobody_msgs/msg/Nothing')
    writer.close()


def test_topic_that_cannot_be_added_is_a_sentence(tmp_path):
    writer = write_strings(tmp_path / 'bag', storage='sqlite3')
    writer.topics.clear()
    with pytest.raises(BagError, match='cannot write to'):
        writer.add_topic('/words', STRING)


@pytest.mark.parametrize(
    'name, content, sentence',
    [
        ('missing.mcap', None, 'there is no bag'),
        ('notes.txt', b'hello', 'is no bag'),
        ('empty.mcap', b'', "no whole message: 'empty.mcap' is empty$"),
        ('text.mcap', b'these are no records at all, only words', 'no whole message'),
        ('text.db3', b'these are no tables at all, only words' * 40, 'cannot be read as a bag'),
        ('old.bag', b'#ROSBAG V2.0', 'rosbags-convert'),
    ],
)
def test_what_is_no_bag_gets_a_sentence(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BagError, match=sentence):
        Bag(tmp_path / name)


def test_damaged_chunk_is_named_by_what_comes_before(tmp_path):
    write_strings(tmp_path / 'bag')
    path = tmp_path / 'bag' / 'bag.mcap'
    with open(path, 'rb') as file:
        third = make_reader(file).get_summary().chunk_indexes[2]
    content = bytearray(path.read_bytes())
    middle = third.chunk_start_offset + third.chunk_length // 2
    content[middle : middle + 8] = b'\xff' * 8
    path.write_bytes(content)
    with Bag(tmp_path / 'bag') as bag, pytest.raises(BagError, match='after a message of /words at 0.900 s'):
        list(bag.read())
