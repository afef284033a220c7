"""The nodes in processes of their own, over real DDS."""

import signal
import time

import numpy as np
import pytest
from audio_common_msgs.msg import AudioData, AudioDataStamped, AudioInfo
from clips import DARK, FLASH_S, HEIGHT, LOUD, RATE_HZ, SAMPLE_RATE, SECONDS, WHITE, WIDTH, write_clip
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from emotion_core import qos
from emotion_core.images import decode, decode_compressed
from emotion_core.messages import to_ns, to_stamp
from emotion_core.stamps import NS_PER_S
from emotion_core.testing import (
    node_process,
    ros,  # noqa: F401
)

CAMERA, MICROPHONE = 'emotion_drivers.camera_node', 'emotion_drivers.microphone_node'
FRAME_NS = NS_PER_S // RATE_HZ
BLOCK_NS = NS_PER_S // 20  # the default of block_seconds
LAP_NS = int(SECONDS * NS_PER_S)


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp('clip') / 'clip.mkv')


def parameters(source, **values):
    return [item for name, value in {'source': f"'{source}'", **values}.items() for item in ('-p', f'{name}:={value}')]


def stamps(messages):
    return [to_ns(message.header.stamp) for message in messages]


def is_white(image):
    return decode(image.data, image.width, image.height, image.encoding, image.step).mean() > (WHITE + DARK) / 2


def samples(audio):
    return np.frombuffer(audio.data, '<i2')


def is_loud(audio):
    return samples(audio).max() > LOUD // 2


def says(ros, node, sentence):
    arrays = ros.collect(DiagnosticArray, '/diagnostics', qos.RESULT)
    ros.spin_until(
        lambda: any(sentence in status.message for array in arrays for status in array.status if status.name == node),
        f'{node} says "{sentence}"',
    )


def test_flash_and_click_of_a_clip_come_out_of_both_nodes_with_one_stamp(ros, clip):
    start = int(time.time()) + 1
    images, blocks = [], []
    ros.node.create_subscription(Image, 'image_raw', images.append, qos.SENSOR)
    ros.node.create_subscription(AudioDataStamped, 'audio_stamped', blocks.append, qos.AUDIO)
    arguments = parameters(clip, loop=True, start_at=float(start))
    with node_process(CAMERA, *arguments), node_process(MICROPHONE, *arguments):
        flashes = ros.spin_until(lambda: [image for image in images if is_white(image)], 'a white frame comes')
        clicks = ros.spin_until(lambda: [block for block in blocks if is_loud(block.audio)], 'a click comes')
    start_ns = start * NS_PER_S
    assert all((stamp - start_ns) % FRAME_NS == 0 for stamp in stamps(images))
    assert all((stamp - start_ns) % BLOCK_NS == 0 for stamp in stamps(blocks))
    flash_ns = (to_ns(flashes[0].header.stamp) - start_ns) % LAP_NS
    first_loud = int(np.argmax(samples(clicks[0].audio) > LOUD // 2))
    click_ns = (to_ns(clicks[0].header.stamp) - start_ns + first_loud * NS_PER_S // SAMPLE_RATE) % LAP_NS
    assert flash_ns == click_ns == FLASH_S * NS_PER_S


def test_images_are_what_camera_drivers_publish(ros, clip):
    with node_process(CAMERA, *parameters(clip, loop=True, frame_id='head')):
        images = ros.collect(Image, 'image_raw', qos.RESULT)  # a reliable subscription is served too
        infos = ros.collect(CameraInfo, 'camera_info', qos.RESULT)
        compressed = ros.collect(CompressedImage, 'image_raw/compressed', qos.SENSOR)
        ros.spin_until(
            lambda: set(stamps(images)) & set(stamps(infos)) & set(stamps(compressed)), 'all three come with one stamp'
        )
    assert (images[0].encoding, images[0].width, images[0].height, images[0].step) == ('bgr8', WIDTH, HEIGHT, 3 * WIDTH)
    assert images[0].header.frame_id == infos[0].header.frame_id == compressed[0].header.frame_id == 'head'
    assert (infos[0].width, infos[0].height) == (WIDTH, HEIGHT)
    assert decode_compressed(compressed[0].data).shape == (HEIGHT, WIDTH, 3)


def test_audio_is_what_audio_capture_publishes(ros, clip):
    with node_process(MICROPHONE, *parameters(clip, loop=True, sample_rate=16_000, channels=2)):
        plain = ros.collect(AudioData, 'audio', qos.AUDIO)
        stamped = ros.collect(AudioDataStamped, 'audio_stamped', qos.AUDIO)
        infos = ros.collect(AudioInfo, 'audio_info', qos.LATCHED)
        ros.spin_until(
            lambda: [block for block in stamped if is_loud(block.audio) and block.audio in plain] and infos,
            'both topics give the same click',
        )
    assert infos[0] == AudioInfo(
        channels=2, sample_rate=16_000, sample_format='S16LE', bitrate=512_000, coding_format='wave'
    )
    assert all(len(block.audio.data) == 16_000 // 20 * 2 * 2 for block in stamped)


def test_a_driver_that_is_killed_and_started_again_goes_on_at_the_right_place(ros, clip):
    start = int(time.time())
    images = []
    ros.node.create_subscription(Image, 'image_raw', images.append, qos.SENSOR)
    arguments = parameters(clip, loop=True, start_at=float(start))
    with node_process(CAMERA, *arguments) as process:
        ros.spin_until(lambda: images, 'an image comes')
        process.send_signal(signal.SIGKILL)
        process.wait()
    images.clear()
    with node_process(CAMERA, *arguments):
        flash = ros.spin_until(lambda: next(filter(is_white, images), None), 'a white frame comes')
    assert (to_ns(flash.header.stamp) - start * NS_PER_S) % LAP_NS == FLASH_S * NS_PER_S


@pytest.mark.parametrize('module', [CAMERA, MICROPHONE])
def test_a_process_can_end_with_its_file(ros, clip, module):
    with node_process(module, *parameters(clip, exit_at_end=True)) as process:
        ros.spin_until(lambda: process.poll() is not None, 'the process ends')
    assert process.returncode == 0


def test_no_sound_is_left_out_up_to_the_end(ros, clip):
    blocks = []
    ros.node.create_subscription(AudioDataStamped, 'audio_stamped', blocks.append, 100)  # reliable
    start = int(time.time()) + 3
    with node_process(MICROPHONE, *parameters(clip, exit_at_end=True, start_at=float(start))) as process:
        ros.spin_until(lambda: process.poll() is not None, 'the process ends')
        ros.spin_for(0.2)
    first = (stamps(blocks)[0] - start * NS_PER_S) // BLOCK_NS  # 0, where discovery took less than 3 s
    assert stamps(blocks) == [start * NS_PER_S + index * BLOCK_NS for index in range(first, LAP_NS // BLOCK_NS)]


def test_a_file_that_has_ended_leaves_the_node_alive_and_silent(ros, clip):
    with node_process(CAMERA, *parameters(clip, start_at=1.0)) as process:
        says(ros, 'camera', 'active')
        images = ros.collect(Image, 'image_raw', qos.SENSOR)
        ros.spin_for(0.5)
        assert not images and process.poll() is None


@pytest.mark.parametrize(
    'module, source, sentence',
    [
        (CAMERA, '99', 'there is no camera /dev/video99'),
        (CAMERA, '{tmp}/missing.mp4', 'there is no file or folder'),
        (CAMERA, '{tmp}/damaged.mp4', 'cannot read'),
        (MICROPHONE, 'no such device', 'there is no file and no microphone'),
        (MICROPHONE, '{tmp}/damaged.mp4', 'cannot read'),
    ],
)
def test_a_source_that_cannot_be_used_is_named_and_the_node_lives(ros, tmp_path, module, source, sentence):
    (tmp_path / 'damaged.mp4').write_bytes(bytes(range(256)) * 20)
    with node_process(module, *parameters(source.format(tmp=tmp_path))) as process:
        says(ros, module.split('.')[1].removesuffix('_node'), sentence)
        assert process.poll() is None


def test_a_source_that_comes_later_is_played(ros, tmp_path):
    path = tmp_path / 'later.mkv'
    with node_process(CAMERA, *parameters(path, loop=True)):
        says(ros, 'camera', 'there is no file or folder')
        images = ros.collect(Image, 'image_raw', qos.SENSOR)
        write_clip(tmp_path / 'partial.mkv').rename(path)
        ros.spin_until(lambda: images, 'images come')
        says(ros, 'camera', 'active')


def test_configure_activate_deactivate_clean_up_and_again(ros, clip):
    images = []
    ros.node.create_subscription(Image, 'image_raw', images.append, qos.SENSOR)
    with node_process(CAMERA, *parameters(clip, loop=True, autostart=False)):
        client = ros.node.create_client(ChangeState, 'camera/change_state')
        ros.spin_until(client.service_is_ready, 'the node is there')

        def change(transition):
            future = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
            assert ros.spin_until(future.done, 'the transition ends') and future.result().success

        for _ in range(2):
            change(Transition.TRANSITION_CONFIGURE)
            change(Transition.TRANSITION_ACTIVATE)
            ros.spin_until(lambda: images, 'an image comes')
            change(Transition.TRANSITION_DEACTIVATE)
            ros.spin_for(0.1)
            images.clear()
            ros.spin_for(0.3)
            assert not images
            change(Transition.TRANSITION_CLEANUP)


def test_with_simulated_time_a_file_follows_the_clock_and_begins_again_with_it(ros, clip):
    images = []
    ros.node.create_subscription(Image, 'image_raw', images.append, qos.SENSOR)
    with node_process(CAMERA, *parameters(clip, loop=True, use_sim_time=True)):
        says(ros, 'camera', 'there is no time on /clock')
        assert not images
        clock = ros.publisher(Clock, '/clock', qos.RESULT)

        def run_clock_from(seconds):
            now_ns = seconds * NS_PER_S

            def tick():
                nonlocal now_ns
                now_ns += NS_PER_S // 50
                clock.publish(Clock(clock=to_stamp(now_ns)))
                return len([stamp for stamp in stamps(images) if seconds * NS_PER_S <= stamp <= now_ns]) >= 10

            ros.spin_until(tick, 'images come')

        run_clock_from(100)
        images.clear()
        run_clock_from(10)
        says(ros, 'camera', ': the file begins again')
    assert all(step % FRAME_NS == 0 for step in np.diff(stamps(images)))
