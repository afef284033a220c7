import array
from itertools import product

import cv2
import numpy as np
import pytest
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image

from emotion_core import qos
from emotion_core.messages import to_header, to_ns, to_stamp
from emotion_core.testing import HOSTILE_TEXT, hostile, ros  # noqa: F401
from emotion_msgs.msg import (
    EmotionProbs,
    FaceEmotion,
    FaceEmotions,
    FusedEmotion,
    GameState,
    SessionState,
    SpeechActivity,
)
from emotion_view.camera import FACES_SILENT_S
from emotion_view.canvas import FACE_COLOR
from emotion_view.overlay_node import OverlayNode

WIDTH, HEIGHT = 320, 240


def image(stamp_ns, gray):
    data = array.array('B')
    data.frombytes(np.full((HEIGHT, WIDTH, 3), gray, np.uint8).tobytes())
    return Image(
        header=to_header(stamp_ns, 'camera'), width=WIDTH, height=HEIGHT, encoding='bgr8', step=3 * WIDTH, data=data
    )


def faces(stamp_ns, subject='f0001'):
    face = FaceEmotion(
        emotion=EmotionProbs(source='face', subject_id=subject, probabilities=[0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    )
    face.box.x_offset, face.box.y_offset, face.box.width, face.box.height = 50, 60, 70, 80
    return FaceEmotions(header=to_header(stamp_ns, 'camera'), faces=[face])


def watched(ros):
    """Give a node whose picture is watched, what it drew, and what publishes pictures and faces to it."""
    node = ros.add(OverlayNode())
    node.autostart()
    overlays = ros.collect(Image, 'emotion/overlay', qos.SENSOR)
    images = ros.publisher(Image, 'image_raw', qos.SENSOR)
    return node, overlays, images, ros.publisher(FaceEmotions, 'emotion/faces', qos.RESULT)


def test_nothing_is_drawn_while_nobody_watches(ros):
    node = ros.add(OverlayNode())
    node.autostart()
    ros.spin_for(1.0)
    assert ros.node.count_subscribers('image_raw') == 0


def test_camera_is_let_go_while_the_node_is_not_active(ros):
    node = watched(ros)[0]
    node.trigger_deactivate()
    ros.spin_until(lambda: ros.node.count_subscribers('image_raw') == 0, 'it is')
    node.trigger_activate()
    ros.spin_until(lambda: ros.node.count_subscribers('image_raw') == 1, 'it is taken again')


def test_faces_are_drawn_on_the_frame_they_were_found_in(ros):
    node, overlays, images, results = watched(ros)
    start = node.now_ns()
    results.publish(faces(start))  # from here on frames wait for their faces
    ros.spin_until(lambda: node.health.counts['received emotion/faces'] == 1)
    for step, gray in enumerate((50, 100, 150), start=1):
        images.publish(image(start + step, gray))
        ros.spin_until(lambda: node.health.counts['received image_raw'] == step)
    results.publish(faces(start + 2))
    msg = ros.spin_until(lambda: overlays, 'an overlay comes')[0]
    picture = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.width, 3)
    assert (msg.header.stamp.nanosec, msg.header.frame_id) == ((start + 2) % 1_000_000_000, 'camera')
    assert tuple(picture[100, 80]) == (100, 100, 100)
    np.testing.assert_allclose(picture[100, 50].astype(int), FACE_COLOR, atol=50)  # its edge is blended


def test_frames_whose_faces_do_not_come_in_time_are_drawn_without(ros):
    node, overlays, images, results = watched(ros)
    start = node.now_ns()
    for step in range(4):  # a frame every 0.4 s of its stamps, and faces of frames long ago
        results.publish(faces(start - 9_000_000_000 + step))
        ros.spin_until(lambda: node.health.counts['received emotion/faces'] == step + 1)
        images.publish(image(start + step * 400_000_000, 50 + step))
        ros.spin_until(lambda: node.health.counts['received image_raw'] == step + 1)
    msg = ros.spin_until(lambda: overlays, 'the first frame is given up')[0]
    assert msg.header.stamp.nanosec == start % 1_000_000_000
    assert msg.data[0] == 50


def test_last_faces_are_drawn_where_a_slow_machine_finds_no_newer_ones(ros):
    node, overlays, images, results = watched(ros)
    start = node.now_ns()
    results.publish(faces(start))
    ros.spin_until(lambda: node.health.counts['received emotion/faces'] == 1)
    ros.spin_for(1.2 * FACES_SILENT_S)
    for age_s in (1.5, 2.5):  # max_age is between them
        images.publish(image(start + round(age_s * 1e9), 50))
        ros.spin_until(lambda: node.health.counts['drawn'] == len(overlays) > int(age_s - 1.5))
    colors = [np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.width, 3)[100, 50] for msg in overlays]
    np.testing.assert_allclose(colors[0].astype(int), FACE_COLOR, atol=50)
    assert tuple(colors[1]) == (50, 50, 50)


def test_frame_that_waited_for_faces_is_not_drawn_after_newer_ones(ros):
    node, overlays, images, results = watched(ros)
    start = node.now_ns()
    for number, wait_s in enumerate((0.0, 1.2 * FACES_SILENT_S, 0.0)):  # faces come, none come, they come again
        ros.spin_for(wait_s)
        stamp = start + number * 2_000_000_000
        if wait_s == 0.0:
            results.publish(faces(stamp - 1))
            ros.spin_until(lambda: node.health.counts['received emotion/faces'] == 1 + number // 2)
        images.publish(image(stamp, 50 * number))
        ros.spin_until(lambda: node.health.counts['received image_raw'] == number + 1)
    results.publish(faces(stamp))
    ros.spin_until(lambda: overlays and overlays[-1].data[0] == 100, 'the third is drawn')
    assert node.health.counts['drawn'] == 2, 'the second was, too; not the first'


def test_frames_come_from_the_topic_of_the_transport(ros):
    node, overlays, *_ = watched(ros)
    node.set_parameters([Parameter('image_transport', value='compressed')])
    images = ros.publisher(CompressedImage, 'image_raw/compressed', qos.SENSOR)
    ros.spin_until(lambda: ros.node.count_subscribers('image_raw') == 0, 'the other topic is let go')
    png = cv2.imencode('.png', np.full((HEIGHT, WIDTH, 3), 80, np.uint8))[1].tobytes()
    images.publish(CompressedImage(header=to_header(node.now_ns()), format='png', data=png))
    assert ros.spin_until(lambda: overlays, 'an overlay comes')[0].data[0] == 80


def test_frames_are_drawn_whatever_is_found_in_them(ros):
    node, overlays, images, results = watched(ros)
    start = node.now_ns()
    ros.feed(node, results, [faces(start)])  # from here on frames wait for their faces
    for number, message in enumerate([*hostile(FaceEmotions, start), faces(start)], 1):
        message.header.stamp = to_stamp(start + number)
        ros.feed(node, images, [image(start + number, 50)])
        ros.feed(node, results, [message])
        assert node.health.counts['drawn'] == number
    assert dict(node.health.problems) == {'bad probabilities': 4}
    ros.spin_until(lambda: overlays and to_ns(overlays[-1].header.stamp) == start + number, 'the last one is seen')
    msg = overlays[-1]
    picture = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.width, 3)
    np.testing.assert_allclose(picture[100, 50].astype(int), FACE_COLOR, atol=50)


@pytest.mark.parametrize(
    'topic, kind, problems',
    [
        ('emotion/fused', FusedEmotion, {'bad probabilities', 'bad number'}),
        ('emotion/speech/activity', SpeechActivity, set()),
        ('emotion/session', SessionState, {'bad probabilities', 'bad number'}),
        ('emotion/game', GameState, {'bad number'}),
    ],
)
def test_frames_are_drawn_whatever_is_said(ros, topic, kind, problems):
    node, _, images, results = watched(ros)
    said = ros.publisher(kind, topic, qos.LATCHED)
    start = node.now_ns()
    states = range(5) if hasattr(kind, 'state') else [None]
    for number, (state, message) in enumerate(product(states, hostile(kind, start)), 1):
        if state is not None:
            message.state = state
        ros.feed(node, said, [message])
        ros.feed(node, images, [image(start + number, 50)])
        ros.feed(node, results, [faces(start + number, HOSTILE_TEXT)])  # so that it is about this face
    assert node.health.counts['drawn'] == number and set(node.health.problems) == problems


def test_frames_are_drawn_without_a_face_node(ros):
    node = ros.add(OverlayNode())
    node.autostart()
    overlays = ros.collect(Image, 'emotion/overlay', qos.SENSOR)
    ros.publisher(Image, 'image_raw', qos.SENSOR).publish(image(node.now_ns(), 80))
    ros.spin_until(lambda: overlays)
    assert overlays[0].width > WIDTH
