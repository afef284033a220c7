"""Replayed through DDS to the live graph and recorded, a bag tells what evaluation says without DDS."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from bags import SCENES
from diagnostic_msgs.msg import DiagnosticArray

from emotion_core.testing import ros  # noqa: F401
from emotion_evaluation import scenario_bag
from emotion_evaluation.bag import Bag
from emotion_evaluation.evaluate import Job, evaluate_bag
from emotion_evaluation.player import Player

NODES = {'emotion_face', 'emotion_speech', 'emotion_fusion'}
START_S = 90.0  # a loaded machine with two cores starts five Python processes


@contextmanager
def emotion(*arguments):
    """Run ``./emotion …`` until the block ends."""
    process = subprocess.Popen(
        [sys.executable, '-m', 'emotion_bringup.cli', *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        print(process.communicate(timeout=30)[0].decode())


def test_live_graph_and_evaluation_say_the_same(ros, tmp_path):
    scenario_bag.make(tmp_path / 'scene', scenes=SCENES)
    states = {}

    def note(array):
        states.update({status.name: status.message for status in array.status})

    ros.node.create_subscription(DiagnosticArray, '/diagnostics', note, 10)
    up = ('up', 'drivers:=none', 'use_sim_time:=true', 'image_transport:=compressed', 'overlay:=false')
    with emotion(*up), emotion('record', '-o', str(tmp_path / 'live'), '--use-sim-time') as recorder:
        with Bag(tmp_path / 'scene') as bag:
            player = ros.add(Player(bag, with_clock=True))
            wanted = {'/image_raw/compressed': 2, '/audio_stamped': 2, '/audio_info': 2, '/clock': 4}
            ros.spin_until(
                lambda: (
                    NODES <= states.keys()
                    and 'not active' not in [states[name] for name in NODES]
                    and all(ros.node.count_subscribers(name) >= count for name, count in wanted.items())
                ),
                'graph and recorder listen',
                START_S,
            )
            played = threading.Thread(target=player.play)
            played.start()
            ros.spin_until(lambda: not played.is_alive(), 'the bag has been played', START_S)
        time.sleep(2)  # the last results
        recorder.send_signal(signal.SIGINT)
        recorder.wait(30)
    assert recorder.returncode == 0
    with Bag(tmp_path / 'live') as bag, Bag(tmp_path / 'scene') as scene:
        for topic in ('/image_raw/compressed', '/audio_stamped'):
            assert bag.topics[topic].count == scene.topics[topic].count
    entry = evaluate_bag(Job(tmp_path / 'live')).entry
    live = entry['live']
    assert live['frames']['recorded'] > 0 and live['face_ms']['n'] == live['face_agreement']['of']
    face, speech, fused = (live[f'{name}_agreement'] for name in ('face', 'speech', 'fused'))
    # Live, frames are dropped when the machine is busy; those that were not must agree.
    assert face['n'] >= 5 and face['same_label'] >= 0.9 and face['mean_difference'] < 0.1
    assert speech['n'] == speech['of'] >= 2 and speech['same_label'] == 1 and speech['mean_difference'] < 0.05
    assert fused['n'] >= max(5, 0.3 * fused['of']) and fused['same_label'] >= 0.9 and fused['mean_difference'] < 0.1


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_recording_that_is_killed_is_a_bag(ros, tmp_path, storage):
    from std_msgs.msg import String

    from emotion_core import qos

    publisher = ros.node.create_publisher(String, '/words', qos.RESULT)
    with emotion('record', '-o', str(tmp_path / 'bag'), '--topics', '/words', '--storage', storage) as recorder:
        ros.spin_until(lambda: publisher.get_subscription_count() > 0, 'the recorder listens', START_S)
        deadline = time.monotonic() + 3.5
        count = 0
        while time.monotonic() < deadline:
            publisher.publish(String(data=f'word {count}'))
            count += 1
            ros.spin_for(0.02)
        os.kill(recorder.pid, signal.SIGKILL)
        recorder.wait(10)
    with Bag(tmp_path / 'bag') as bag:
        words = [bag.deserialize(record).data for record in bag.read()]
        assert bag.notice == ''
    assert len(words) >= count / 3  # a checkpoint every second
    assert words == [f'word {number}' for number in range(len(words))]


def test_what_is_latched_before_simulated_time_begins_is_recorded_when_it_does(ros, tmp_path):
    from rclpy.parameter import Parameter
    from rosgraph_msgs.msg import Clock
    from std_msgs.msg import String

    from emotion_core import qos
    from emotion_core.messages import to_stamp
    from emotion_evaluation.bag_writer import BagWriter
    from emotion_evaluation.recorder import Recorder

    latched = ros.node.create_publisher(String, '/latched', qos.LATCHED)
    other = ros.node.create_publisher(String, '/other', qos.RESULT)
    clock = ros.node.create_publisher(Clock, '/clock', 10)
    recorder = ros.add(Recorder(BagWriter(tmp_path / 'bag'), ['/latched', '/other']))
    recorder.set_parameters([Parameter('use_sim_time', value=True)])
    try:
        ros.spin_until(
            lambda: recorder.look() or all(pub.get_subscription_count() for pub in (latched, other, clock)),
            'the recorder listens',
        )
        for number in range(2):
            latched.publish(String(data=f'label {number}'))
            other.publish(String(data='before time'))
        ros.spin_until(lambda: recorder._latched_early, 'the label has come')
        ros.spin_for(0.3)
        clock.publish(Clock(clock=to_stamp(7_000_000_000)))
        ros.spin_until(lambda: recorder.get_clock().now().nanoseconds > 0, 'time has begun')
        other.publish(String(data='first'))
        ros.spin_until(lambda: recorder.received == 2, 'both have come')
    finally:
        recorder.end()
    with Bag(tmp_path / 'bag') as bag:
        assert [bag.deserialize(record).data for record in bag.read()] == ['label 1', 'first']
        assert bag.start_ns == bag.end_ns == 7_000_000_000


def test_disk_that_stalls_stops_neither_the_stamps_nor_the_count_of_what_is_dropped(ros, tmp_path, monkeypatch):
    from std_msgs.msg import String

    from emotion_core import qos
    from emotion_evaluation import recorder
    from emotion_evaluation.bag_writer import BagWriter

    goes_on = threading.Event()

    class Stalling(BagWriter):
        def write(self, *message):
            goes_on.wait(20)
            super().write(*message)

    monkeypatch.setattr(recorder, 'QUEUE_BYTES', 200)
    publishers = [ros.node.create_publisher(String, f'/{name}', qos.RESULT) for name in ('one', 'two')]
    recording = ros.add(recorder.Recorder(Stalling(tmp_path / 'bag'), ['/one', '/two']))
    try:
        for publisher in publishers:  # the second topic is found during the stall
            ros.spin_until(lambda: recording.look() or publisher.get_subscription_count(), 'the recorder listens')
            before = recording.received + recording.dropped
            for _ in range(10):
                publisher.publish(String(data='word'))
            ros.spin_until(lambda: recording.received + recording.dropped == before + 10, 'the words have come')
        begin_ns = time.time_ns()
    finally:
        goes_on.set()
        recording.end()
    with Bag(tmp_path / 'bag') as bag:
        assert bag.count == recording.received == 20 - recording.dropped < 20
        assert bag.end_ns < begin_ns


def test_recording_of_hours_is_completed_less_often():
    from emotion_evaluation.recorder import checkpoint_period_s

    assert [checkpoint_period_s(hours * 3600) for hours in (0, 0.5, 6)] == [1.0, 1.0, 10.8]


def test_recorder_that_fails_ends_and_leaves_a_bag(tmp_path):
    code = (
        'import sys; from emotion_evaluation import cli, recorder\n'
        'def fail(self): raise RuntimeError("the graph is gone")\n'
        'recorder.Recorder.look = fail\n'
        'cli.main("record", sys.argv[1:])'
    )
    command = [sys.executable, '-c', code, '-o', str(tmp_path / 'bag')]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_S)
    assert done.returncode == 1 and 'the graph is gone' in done.stderr
    with Bag(tmp_path / 'bag') as bag:
        assert bag.count == 0


def test_recording_of_nothing_leaves_nothing(tmp_path):
    words = ['record', '-o', str(tmp_path / 'bag'), '--topics', '/nothing', '--duration', '0.1']
    command = [sys.executable, '-m', 'emotion_bringup.cli', *words]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_S)
        assert done.returncode == 1 and 'nothing was recorded' in done.stderr and not list(tmp_path.iterdir())


def test_remap_start_and_duration(ros, tmp_path):
    from bags import write_strings
    from std_msgs.msg import String

    from emotion_core import qos

    write_strings(tmp_path / 'bag', 20)
    with Bag(tmp_path / 'bag') as bag:
        player = ros.add(Player(bag, {'/words': 'said'}))
        heard = ros.collect(String, '/said', qos.RESULT)
        ros.spin_until(lambda: not player.unheard(), 'the test listens')
        began = time.monotonic()
        player.play(rate=2.0, start_s=0.45, duration_s=1.0)
        assert 0.4 <= time.monotonic() - began < 5
        ros.spin_until(lambda: len(heard) == 10, 'the chosen part has arrived')
        ros.spin_for(0.2)
    assert [msg.data for msg in heard] == [f'word {number}' for number in range(5, 15)]


def test_replay_plays_the_part_that_is_asked_for_and_says_what_it_played(ros, tmp_path):
    from bags import START_NS, write_strings
    from rosgraph_msgs.msg import Clock
    from std_msgs.msg import String

    from emotion_core import qos
    from emotion_core.messages import to_ns

    write_strings(tmp_path / 'bag', 20)
    times = []
    ros.node.create_subscription(Clock, '/clock', lambda msg: times.append(to_ns(msg.clock)), 100)
    part = '--clock', '--start', '0.45', '--duration', '1', '--rate', '4', '--remap', '/words:=said'
    with emotion('replay', str(tmp_path / 'bag'), *part, '--namespace', 'robot') as player:
        heard = ros.collect(String, '/robot/said', qos.RESULT)
        ros.spin_until(lambda: player.poll() is not None and len(heard) >= 10, 'the chosen part has arrived')
        output = player.stdout.read().decode()
    assert [msg.data for msg in heard] == [f'word {number}' for number in range(5, 15)]
    assert times and START_NS + 450_000_000 <= min(times) < max(times) <= START_NS + 1_450_000_000
    assert player.returncode == 0 and '      10 /robot/said\nthe latest message was ' in output


def test_replay_from_the_middle_begins_with_all_that_holds(ros, tmp_path, monkeypatch):
    from bags import MS, START_NS, STRING
    from std_msgs.msg import String

    from emotion_core.testing import EVERY_STATE
    from emotion_evaluation import ground_truth, player
    from emotion_evaluation.bag_writer import BagWriter
    from emotion_evaluation.definitions import installed_types
    from emotion_msgs.msg import GroundTruth

    monkeypatch.setattr(player, 'STATIC_TYPE', STRING)  # tf2_msgs is not everywhere
    kinds = {'/emotion/ground_truth': ground_truth.TYPE, '/frames': STRING}
    types = installed_types(kinds.values())
    writer = BagWriter(tmp_path / 'bag', types=types)
    header = types.types['std_msgs/msg/Header'](types.types['builtin_interfaces/msg/Time'](1, 0), '')
    marks = [types.types[ground_truth.TYPE](header, *words.split()) for words in ('anna sad', 'ben fear', 'anna happy')]
    frames = [types.types[STRING](word) for word in ('base', 'head', 'base')]
    for name, messages in zip(kinds, (marks, frames)):
        writer.add_topic(name, kinds[name], [scenario_bag.LATCHED])
        for number, message in enumerate(messages):
            writer.write(name, START_NS + number * MS, bytes(types.serialize_cdr(message, kinds[name])))
    writer.write('/emotion/ground_truth', START_NS + 3 * MS, b'\0\1\0\0 damaged')
    writer.add_topic('/end', STRING)
    writer.write('/end', START_NS + 1000 * MS, bytes(types.serialize_cdr(types.types[STRING]('end'), STRING)))
    writer.close()
    with Bag(tmp_path / 'bag') as bag:
        playing = ros.add(Player(bag))
        labels = ros.collect(GroundTruth, '/emotion/ground_truth', EVERY_STATE)
        words = ros.collect(String, '/frames', EVERY_STATE)
        ros.spin_until(lambda: len(playing.unheard()) == 1, 'the test listens')
        playing.play(start_s=0.9, duration_s=0.01)
        ros.spin_until(lambda: len(labels) >= 2 and len(words) >= 2, 'what holds has come')
    assert [(label.subject_id, label.label) for label in labels] == [('ben', 'fear'), ('anna', 'happy')]
    assert [word.data for word in words] == ['head', 'base']


def test_topic_with_two_types_is_played_with_the_first(ros, tmp_path):
    from bags import STRING
    from rosbags.rosbag2 import StoragePlugin, Writer
    from std_msgs.msg import String

    from emotion_core import qos
    from emotion_evaluation.definitions import known_types

    types = known_types()
    with Writer(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for kind, value in ((STRING, 'word'), ('std_msgs/msg/Int32', 7)):
            connection = writer.add_connection('/words', kind, typestore=types)
            writer.write(connection, value == 7, types.serialize_cdr(types.types[kind](value), kind))
    with Bag(tmp_path / 'bag') as bag:
        player = ros.add(Player(bag))
        assert [notice for notice in player.notices if "'/words' has several types" in notice]
        heard = ros.collect(String, '/words', qos.RESULT)
        ros.spin_until(lambda: not player.unheard(), 'the test listens')
        player.play()
        ros.spin_until(lambda: heard, 'the word has arrived')
        assert player.published == {'/words': 1} and [msg.data for msg in heard] == ['word']


def test_nothing_to_publish_is_a_sentence(ros, tmp_path):
    from bags import write_strings

    from emotion_evaluation.errors import BagError

    write_strings(tmp_path / 'bag', 3)
    with Bag(tmp_path / 'bag') as bag:
        with pytest.raises(BagError, match="no topic '/x' to remap"):
            Player(bag, {'/x': 'y'})
        with pytest.raises(BagError, match='nothing to publish'):
            Player(bag, topics=('/nothing',))
