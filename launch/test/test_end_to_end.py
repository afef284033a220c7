"""The whole graph: separate processes, real DDS, real faces and voices."""

import os
import signal
import subprocess
import sys
import tarfile
import time
from array import array
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import psutil
import pytest
import soundfile
from audio_common_msgs.msg import AudioData, AudioDataStamped
from diagnostic_msgs.msg import DiagnosticArray
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from emotion_core import qos
from emotion_core.messages import to_header, to_ns, to_stamp
from emotion_core.stamps import NS_PER_S
from emotion_core.testing import ros  # noqa: F401
from emotion_drivers import scenario
from emotion_evaluation import two_people
from emotion_evaluation.scenario_bag import to_utterance
from emotion_msgs.msg import EmotionProbs, FaceEmotions, FusedEmotion, SpeechActivity

EXAMPLE = Path(__file__).resolve().parents[2] / 'examples' / 'listen.py'
SHARED = EXAMPLE.parents[2] / 'shared' / 'data'
SECONDS = 5  # each picture and its voice
PAIRS = ('happy_00', 'angry_00')
START_S = 60.0  # a loaded machine with two cores starts six Python processes
NODES = ('camera', 'microphone', 'emotion_face', 'emotion_speech', 'emotion_fusion')


@pytest.fixture(scope='module')
def pairs(tmp_path_factory):
    """Real faces and real voices of the same emotion: a folder of pictures, one of sounds, and how to play them."""
    archive = SHARED / 'av_sample.tar'
    if not archive.is_file():
        pytest.skip(f'real faces and voices are needed: no {archive.name} in shared/data beside the checkout')
    folder = tmp_path_factory.mktemp('av sample')
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter='data')
    rows = {row.split(',')[0]: row.split(',') for row in (folder / 'av_sample/av_pairs.csv').read_text().splitlines()}
    for number, pair in enumerate(PAIRS):
        for kind, column in (('images', 2), ('audio', 3)):
            source = folder / 'av_sample' / rows[pair][column]
            target = folder / kind / f'{number}{source.suffix}'
            target.parent.mkdir(exist_ok=True)
            source.rename(target)
    (folder / 'params.yaml').write_text(
        f'/**/camera:\n  ros__parameters:\n    loop: true\n    seconds_per_image: {SECONDS}.0\n'
        f'/**/microphone:\n  ros__parameters:\n    loop: true\n    seconds_per_file: {SECONDS}.0\n'
    )
    return folder


@contextmanager
def graph(name, *arguments):
    """
    Run ``./emotion up``, as somebody whose folders are empty; gives the supervisor's process.

    Fails when it leaves a process behind, or a file: no frame and no sound is written to disk.
    """
    with TemporaryDirectory() as home:
        kept = {name: value for name, value in os.environ.items() if not name.startswith('XDG_')}
        process = subprocess.Popen(
            [sys.executable, '-m', 'emotion_bringup.cli', 'up', name, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**kept, 'HOME': home, 'TMPDIR': home},
            cwd=home,
        )
        log = []
        os.set_blocking(process.stdout.fileno(), False)
        process.log = lambda: log.append(process.stdout.read() or b'') or b''.join(log).decode(errors='replace')
        try:
            yield process
            assert process.poll() is None, f'the graph ended by itself:\n{process.log()}'
        finally:
            children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            finally:
                print(process.log())
            _, alive = psutil.wait_procs(children, timeout=2)
            assert not alive, f'left behind: {alive}'
        assert [path for path in Path(home).rglob('*') if path.is_file()] == []


def pids_of(process, nodes=(*NODES, 'emotion_overlay')):
    """Give the process of each node, by its name on the command line."""
    found = {}
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            words = ' '.join(child.cmdline())
        except psutil.Error:  # it was just killed
            continue
        found |= {node: child for node in nodes if f'__node:={node}' in words}
    return found


@contextmanager
def restarts_held_off(process):
    """Stop the supervisor, so that a killed node stays away; what it missed it mends on the way out."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def both(messages):
    return [msg for msg in messages if msg.face_weight > 0 and msg.speech_weight > 0]


def test_pictures_and_voices_reach_the_fused_estimate(ros, pairs):
    with graph(
        'multimodal', f'camera:={pairs}/images', f'microphone:={pairs}/audio', f'params_file:={pairs}/params.yaml'
    ):
        stamps, drawn = [], []
        ros.node.create_subscription(Image, 'image_raw', lambda msg: stamps.append(to_ns(msg.header.stamp)), qos.SENSOR)
        ros.node.create_subscription(Image, 'emotion/overlay', drawn.append, qos.SENSOR)
        fused = ros.collect(FusedEmotion, 'emotion/fused', qos.RESULT)
        ros.spin_until(lambda: both(fused), 'face and voice are fused', START_S)
        ros.spin_until(
            lambda: set(stamps) & {to_ns(msg.header.stamp) for msg in both(fused)}, "an image's own stamp comes out"
        )
        labels = set()
        ros.spin_until(
            lambda: labels.update(msg.label for msg in fused) or len(labels) > 1,
            'the label changes with the picture',
            timeout=6 * SECONDS,
        )
        ros.spin_until(lambda: drawn, 'the overlay is drawn')
    msg = both(fused)[0]
    for probs in (msg.fused, msg.face, msg.speech):
        assert len(probs.probabilities) == 6 and sum(probs.probabilities) == pytest.approx(1, abs=1e-3)
        assert 0 < probs.quality <= 1
    assert msg.face_weight + msg.speech_weight == pytest.approx(1, abs=1e-5)
    assert msg.face_reason and msg.speech_reason and msg.is_speaker
    assert msg.face.model.startswith('fer_compact@') and msg.speech.model.startswith('ser_compact@')
    assert msg.subject_id == msg.face.subject_id != ''


def test_example_that_listens_prints_what_is_fused(ros):
    running = subprocess.Popen([sys.executable, '-u', str(EXAMPLE)], stdout=subprocess.PIPE, text=True)
    try:
        publisher = ros.publisher(FusedEmotion, 'emotion/fused', qos.RESULT)
        msg = FusedEmotion(subject_id='f0001', label='happy', confidence=0.75, face_weight=1.0, face_reason='clear')
        msg.fused.probabilities = [0.05, 0.05, 0.75, 0.05, 0.05, 0.05]
        for label in ('happy', 'happy', FusedEmotion.UNCERTAIN):
            msg.label = label
            publisher.publish(msg)
        lines = [running.stdout.readline() for _ in range(6)]
    finally:
        running.send_signal(signal.SIGINT)
        rest, _ = running.communicate(timeout=20)
    assert running.returncode == 0 and rest == ''
    assert (lines[0], lines[3]) == ('f0001: happy 75%\n', 'f0001: uncertain, at most 75%\n')
    assert lines[1] == lines[4] == '  angry 5%, fear 5%, happy 75%, neutral 5%, sad 5%, surprise 5%\n'
    assert lines[2] == lines[5] == '  face 1.00 (clear), voice 0.00 ()\n'


def make_video(path, pairs):
    """Write the pairs as one video file with sound."""
    import av
    import soundfile

    rate, fps = 16000, 10
    with av.open(str(path), 'w') as container:
        video = container.add_stream('mpeg4', rate=fps)
        video.width, video.height, video.pix_fmt, video.bit_rate = 640, 480, 'yuv420p', 4_000_000
        audio = container.add_stream('aac', rate=rate, layout='mono')
        for number in range(len(PAIRS)):
            frame = np.full((480, 640, 3), 110, np.uint8)
            frame[80:400, 160:480] = cv2.imread(str(pairs / 'images' / f'{number}.jpg'))
            for _ in range(SECONDS * fps):
                container.mux(video.encode(av.VideoFrame.from_ndarray(frame, 'bgr24')))
            samples, _ = soundfile.read(pairs / 'audio' / f'{number}.flac', dtype='float32')
            samples = np.pad(samples, (0, SECONDS * rate))[: SECONDS * rate]
            sound = av.AudioFrame.from_ndarray(samples[np.newaxis], 'fltp', 'mono')
            sound.sample_rate = rate
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def test_video_file_with_sound(ros, pairs):
    clip = pairs / 'clip.mkv'
    make_video(clip, pairs)
    with graph('multimodal', f'camera:={clip}', f'microphone:={clip}', f'params_file:={pairs}/params.yaml'):
        fused = ros.collect(FusedEmotion, 'emotion/fused', qos.RESULT)
        ros.spin_until(lambda: both(fused), 'face and voice of the clip are fused', START_S)


def test_killed_nodes_come_back_and_fusion_goes_on_meanwhile(ros, pairs):
    with graph(
        'multimodal', f'camera:={pairs}/images', f'microphone:={pairs}/audio', f'params_file:={pairs}/params.yaml'
    ) as process:
        fused = ros.collect(FusedEmotion, 'emotion/fused', qos.RESULT)
        faces = ros.collect(EmotionProbs, 'emotion/face', qos.RESULT)
        speech = ros.collect(EmotionProbs, 'emotion/speech', qos.RESULT)
        images = []
        ros.node.create_subscription(Image, 'image_raw', images.append, qos.SENSOR)
        ros.spin_until(lambda: both(fused), 'face and voice are fused', START_S)
        alive = {'camera': images, 'emotion_face': faces, 'emotion_fusion': fused}
        for node in NODES:
            killing = pids_of(process)[node]
            if node == 'emotion_face':
                with restarts_held_off(process):
                    killing.send_signal(signal.SIGKILL)
                    ros.spin_for(0.2)  # what was still on its way
                    del fused[:]
                    ros.spin_until(
                        lambda: [msg for msg in fused if msg.face_weight == 0 and msg.speech_weight == 1],
                        'the voice goes on alone',
                    )
            else:
                killing.send_signal(signal.SIGKILL)
            if node in alive:
                ros.spin_for(0.2)  # what was still on its way
                del alive[node][:]
                ros.spin_until(lambda: alive[node], f'{node} is back')
            else:
                ros.spin_until(
                    lambda: node in pids_of(process) and ros.node.get_node_names().count(node), f'{node} is back'
                )
        del fused[:], speech[:]
        ros.spin_until(lambda: speech and both(fused), 'all is as before')


def test_two_graphs_in_two_namespaces(ros, pairs):
    arguments = (f'camera:={pairs}/images', 'microphone:=null', f'params_file:={pairs}/params.yaml')
    with (
        graph('face', arguments[0], arguments[2], 'namespace:=left'),
        graph('face', arguments[0], arguments[2], 'namespace:=right'),
    ):
        left = ros.collect(EmotionProbs, 'left/emotion/face', qos.RESULT)
        right = ros.collect(EmotionProbs, 'right/emotion/face', qos.RESULT)
        ros.spin_until(lambda: left and right, 'both see a face', START_S)
        assert ros.node.count_publishers('/emotion/face') == 0


def test_vga_frames_arrive_between_processes(ros, tmp_path):
    """Out of the box Fast DDS loses nearly all of them; the transport profile mends it."""
    cv2.imwrite(str(tmp_path / 'plain.png'), np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8))
    (tmp_path / 'params.yaml').write_text('/**/camera:\n  ros__parameters:\n    loop: true\n    frame_rate: 30.0\n')
    with graph('face', f'camera:={tmp_path}', f'params_file:={tmp_path}/params.yaml'):
        stamps = []
        # Not SENSOR: a busy machine may read a frame late, and none shall be lost for that.
        ros.node.create_subscription(Image, 'image_raw', lambda msg: stamps.append(to_ns(msg.header.stamp)), qos.AUDIO)
        results = ros.collect(FaceEmotions, 'emotion/faces', qos.RESULT)
        ros.spin_until(lambda: len(stamps) > 10 and results, 'frames arrive', START_S)
        del stamps[:]
        ros.spin_for(5.0)
    expected = round((stamps[-1] - stamps[0]) * 30 / 1e9) + 1
    assert expected >= 100
    assert len(stamps) >= 0.99 * expected


def make_meeting():
    """Give a scene with two faces of whom the smaller speaks."""
    portrait = cv2.imread(str(scenario.ASSETS / 'portrait.jpg'))[40:190, 150:300]
    corners = np.array([(54.0, 99.0), (97.0, 99.0)])  # of the mouth
    mirrored = np.array([149.0, 0.0]) + corners[::-1] * (-1, 1)
    portraits = two_people.Portrait(portrait, corners), two_people.Portrait(portrait[:, ::-1].copy(), mirrored)
    said, other = (
        to_utterance(*soundfile.read(scenario.ASSETS / f'{name}.ogg', dtype='float32')) for name in ('glad', 'plain')
    )
    return two_people.make_meeting(two_people.STILL, 1, portraits, said, other)


def test_voice_is_given_to_the_smaller_face_whose_mouth_moves_with_it(ros):
    """In simulated time, that goes on when each picture was seen and each sound heard: a busy machine loses none."""
    meeting = make_meeting()
    assert meeting.speaker != meeting.largest
    sound = (np.clip(meeting.sound, -1, 1) * 32767).astype('<i2')
    start_ns = 1_700_000_000 * NS_PER_S
    messages = [(frame * NS_PER_S // 15, 'image', frame) for frame in range(meeting.frames)]
    # A block comes when its last sample was heard.
    messages += [((first + 800) * NS_PER_S // 16000, 'audio', first) for first in range(0, len(sound), 800)]
    with graph('multimodal', 'drivers:=none', 'overlay:=false', 'use_sim_time:=true'):
        inputs = ('image_raw', 'audio_stamped', 'emotion/speech/activity')
        ros.spin_until(lambda: all(map(ros.node.count_subscribers, inputs)), 'the graph listens', START_S)
        clock = ros.publisher(Clock, '/clock', 10)
        images = ros.publisher(Image, 'image_raw', qos.SENSOR)
        audio = ros.publisher(AudioDataStamped, 'audio_stamped', qos.AUDIO)
        faces = ros.collect(FaceEmotions, 'emotion/faces', qos.RESULT)
        heard = ros.collect(SpeechActivity, 'emotion/speech/activity', qos.RESULT)
        fused = ros.collect(FusedEmotion, 'emotion/fused', qos.RESULT)
        before = to_stamp(start_ns - NS_PER_S)
        black = Image(
            header=to_header(start_ns - NS_PER_S, 'camera'), width=640, height=480, encoding='bgr8', step=1920
        )
        black.data = array('B', bytes(1920 * 480))

        def look() -> bool:
            clock.publish(Clock(clock=before))
            images.publish(black)
            return faces and audio.get_subscription_count() > 0

        ros.spin_until(look, 'a picture is seen', START_S)
        for at_ns, kind, index in sorted(messages):
            now_ns = start_ns + at_ns
            clock.publish(Clock(clock=to_stamp(now_ns)))
            if kind == 'image':
                data = array('B', two_people.draw(meeting, index).tobytes())
                header = to_header(now_ns, 'camera')
                images.publish(Image(header=header, width=640, height=480, encoding='bgr8', step=1920, data=data))
                ros.spin_until(lambda: faces and to_ns(faces[-1].header.stamp) == now_ns, f'frame {index} is seen')
            else:
                block = sound[index : index + 800]
                header = to_header(now_ns - len(block) * NS_PER_S // 16000, 'microphone')
                audio.publish(AudioDataStamped(header=header, audio=AudioData(data=array('B', block.tobytes()))))
                ros.spin_until(
                    lambda: at_ns < NS_PER_S // 4 or to_ns(heard[-1].header.stamp) > now_ns - NS_PER_S // 5,
                    f'the sound at {at_ns / NS_PER_S:.2f} s is heard',
                )
        spoken = ros.spin_until(
            lambda: [msg for msg in fused if msg.is_speaker and msg.speech_weight > 0 and msg.speech.is_final],
            'the voice is fused',
        )[-1]
    assert spoken.speaker_reason.startswith(f'{spoken.subject_id}: its mouth moves with it (r 0.')
    sizes = {face.emotion.subject_id: face.box.width for msg in faces for face in msg.faces}
    assert len(sizes) == 2 and sizes[spoken.subject_id] == min(sizes.values())


def test_topics_of_other_names_are_listened_to(ros):
    names = 'image:=/cam/color/image', 'image_transport:=compressed', 'audio:=/mic/sound'
    with graph('multimodal', *names, 'namespace:=robot') as process:
        inputs = ('/cam/color/image/compressed', '/mic/sound')
        ros.spin_until(lambda: all(map(ros.node.count_subscribers, inputs)), 'the graph listens', START_S)
        images = ros.publisher(CompressedImage, '/cam/color/image/compressed', qos.SENSOR)
        audio = ros.publisher(AudioData, '/mic/sound', qos.AUDIO)
        faces = ros.collect(FaceEmotions, '/robot/emotion/faces', qos.RESULT)
        heard = ros.collect(SpeechActivity, '/robot/emotion/speech/activity', qos.RESULT)
        picture = array('B', (scenario.ASSETS / 'portrait.jpg').read_bytes())

        def look() -> bool:
            now_ns = time.time_ns()
            images.publish(CompressedImage(header=to_header(now_ns, 'camera'), format='jpeg', data=picture))
            audio.publish(AudioData(data=array('B', bytes(3200))))
            return heard and any(msg.faces for msg in faces)

        ros.spin_until(look, 'a face is seen and sound is heard', START_S)
        for topic in ('/mic/audio_info', '/mic/audio_stamped'):
            assert ros.node.count_subscribers(topic) == 1, topic
        assert 'camera' not in pids_of(process) and 'microphone' not in pids_of(process)


def test_bad_input_is_counted_and_the_graph_lives(ros):
    with graph('multimodal', 'drivers:=none') as process:
        diagnostics = ros.collect(DiagnosticArray, '/diagnostics', 10)

        def problems(node):
            return {
                pair.key
                for array in diagnostics
                for status in array.status
                if status.name == node
                for pair in status.values
                if pair.key.startswith('problem: ')
            }

        images = ros.publisher(Image, 'image_raw', qos.SENSOR)
        before = {name: child.pid for name, child in pids_of(process).items()}
        sent = 0
        while len(problems('emotion_face')) < 3:
            for encoding, width, data in (('h264', 4, [0] * 48), ('bgr8', 0, []), ('bgr8', 4, [0] * 5)):
                images.publish(Image(encoding=encoding, width=width, height=4, step=3 * width, data=data))
                ros.spin_for(0.1)
            sent += 1
            assert sent < 100, f'problems so far: {problems("emotion_face")}'
        assert problems('emotion_face') >= {
            'problem: wrong encoding',
            'problem: empty image',
            'problem: truncated image',
        }
        assert {name: child.pid for name, child in pids_of(process).items()} == before


@pytest.mark.parametrize(
    'arguments, sentence',
    [
        (('multimodal', 'colour:=blue'), 'colour'),
        (('multimodal', 'fusion_method:=magic'), 'fixed, dynamic, log_linear'),
        (('opera',), 'multimodal'),
    ],
)
def test_bad_arguments_are_refused_with_a_sentence(arguments, sentence):
    done = subprocess.run(
        [sys.executable, '-m', 'emotion_bringup.cli', 'up', *arguments], capture_output=True, text=True, timeout=30
    )
    assert done.returncode != 0
    assert sentence in done.stderr + done.stdout
    assert 'Traceback' not in done.stderr
