import array

import cv2
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from faces import YUNET, blank, needs_faces, needs_yunet, place, samples
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image

from emotion_core import qos
from emotion_core.messages import to_header, to_ns
from emotion_core.store import ModelStore
from emotion_core.testing import node_process, ros  # noqa: F401
from emotion_face.node import FaceNode
from emotion_msgs.msg import EmotionProbs, FaceEmotions

S = 1_000_000_000
STAMP = 1_700_000_000 * S


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Give the node an empty store of its own: bundled models only."""
    monkeypatch.setenv('EMOTION_MODELS', str(tmp_path))
    return ModelStore(tmp_path)


def to_image(frame, stamp_ns, encoding='bgr8'):
    data = array.array('B')
    data.frombytes(frame.tobytes())
    return Image(
        header=to_header(stamp_ns, 'camera'),
        height=frame.shape[0],
        width=frame.shape[1],
        encoding=encoding,
        step=frame.shape[1] * 3,
        data=data,
    )


class Graph:
    """A face node, a camera and those who listen."""

    def __init__(self, ros, **parameters):
        self.ros = ros
        self.node = ros.add(FaceNode())
        self.set(**parameters)
        self.node.autostart()
        self.face = ros.collect(EmotionProbs, 'emotion/face', qos.RESULT)
        self.faces = ros.collect(FaceEmotions, 'emotion/faces', qos.RESULT)
        self.diagnostics = ros.collect(DiagnosticArray, '/diagnostics', qos.RESULT)
        self.camera = ros.publisher(Image, 'image_raw', qos.SENSOR)

    def set(self, **parameters):
        return self.node.set_parameters([Parameter(name, value=value) for name, value in parameters.items()])

    def show(self, frame, stamp_ns):
        """Send a frame and give its result."""
        count = len(self.faces)
        self.camera.publish(to_image(frame, stamp_ns))
        self.ros.spin_until(lambda: len(self.faces) > count, 'the frame gives a result')
        return self.faces[-1]

    def send_bad(self, msg, kind):
        self.camera.publish(msg)
        self.ros.spin_until(lambda: self.node.health.problems[kind], kind)
        return self.node.health.last_problem

    def status(self, wanted):
        """Wait for a status of the node that fulfils a condition."""

        def find():
            return [
                status
                for array in self.diagnostics
                for status in array.status
                if status.name == 'emotion_face' and wanted(status)
            ]

        return self.ros.spin_until(find, 'the status on /diagnostics')[-1]


def values(status):
    return {item.key: item.value for item in status.values}


@needs_faces
@needs_yunet
def test_every_face_gets_probabilities_an_id_and_the_stamp_of_the_image(ros, store):
    store.fetch('yunet', file=YUNET)
    graph = Graph(ros)
    frame = blank()
    for number in (0, 1, 2):
        place(frame, samples()[number * 11].image, 20 + 200 * number, 100, 180 + 10 * number)
    for number in range(3):
        result = graph.show(frame, STAMP + number * S // 30 + 7)
    ros.spin_until(lambda: len(graph.face) == 9)
    assert to_ns(result.header.stamp) == STAMP + 2 * S // 30 + 7 and result.header.frame_id == 'camera'
    assert (result.image_width, result.image_height, result.detector) == (640, 480, 'yunet')
    assert [face.emotion.subject_id for face in result.faces] == ['f0003', 'f0002', 'f0001']  # largest first
    for face in result.faces:
        assert face.emotion in graph.face
        assert abs(sum(face.emotion.probabilities) - 1) < 1e-5 and 0 < face.emotion.quality < 1
        assert face.emotion.source == 'face' and face.emotion.model.startswith('fer_compact@')
        assert face.emotion.header == result.header
        assert {'size_px', 'sharpness', 'yaw'} <= {term.name for term in face.emotion.quality_terms}
        assert len(face.landmarks_px) == 10 and face.detection_score > 0.4 and face.detected
        assert face.box.x_offset + face.box.width <= 640 and face.box.y_offset + face.box.height <= 480


def test_frame_without_faces_is_answered_with_an_empty_list(ros, store):
    result = Graph(ros).show(blank(), STAMP)
    assert result.faces == [] and to_ns(result.header.stamp) == STAMP


@needs_faces
def test_compressed_images_in_a_process_of_its_own_without_yunet(ros, store):
    with node_process('emotion_face.node', '-p', 'image_transport:=compressed'):
        camera = ros.publisher(CompressedImage, 'image_raw/compressed', qos.SENSOR)
        faces = ros.collect(FaceEmotions, 'emotion/faces', qos.RESULT)
        diagnostics = ros.collect(DiagnosticArray, '/diagnostics', qos.RESULT)
        jpeg = cv2.imencode('.jpg', place(blank(), samples()[20].image, 150, 80, 320))[1].tobytes()

        def show(data):
            header = to_header(STAMP + len(faces) * S // 30, 'camera')
            camera.publish(CompressedImage(header=header, format='jpeg', data=data))
            ros.spin_for(0.1)

        ros.spin_until(lambda: show(jpeg) or (faces and faces[-1].faces), 'a face is found')
        assert faces[-1].detector == 'haar' and len(faces[-1].faces) == 1
        ros.spin_until(
            lambda: (
                show(jpeg[:50])
                or [
                    status
                    for array in diagnostics
                    for status in array.status
                    if 'problem: damaged image' in values(status)
                ]
            ),
            'it is counted',
        )


def test_late_frames_are_dropped_never_queued(ros, store):
    graph = Graph(ros)
    graph.show(blank(), STAMP)
    for number in range(1, 21):  # while the node is busy: it is not spun
        graph.camera.publish(to_image(blank(64, 48), STAMP + number * S // 30))
    newest = STAMP + 20 * S // 30
    ros.spin_until(lambda: to_ns(graph.faces[-1].header.stamp) == newest, 'the newest frame gives a result')
    ros.spin_for(0.3)
    assert len(graph.faces) <= 3


def test_bad_images_are_counted_and_the_node_lives(ros, store):
    graph = Graph(ros)
    frame = blank(64, 48)
    assert 'nv99' in graph.send_bad(to_image(frame, STAMP, 'nv99'), 'wrong encoding')
    empty = to_image(frame, STAMP)
    empty.width, empty.height, empty.step, empty.data = 0, 0, 0, array.array('B')
    assert 'no pixels' in graph.send_bad(empty, 'empty image')
    short = to_image(frame, STAMP)
    short.data = short.data[:1000]
    assert '9216' in graph.send_bad(short, 'truncated image')
    assert 'header.stamp' in graph.send_bad(to_image(frame, 0), 'missing stamp')
    assert graph.show(frame, STAMP + S).faces == []
    status = graph.status(lambda status: 'problem: truncated image' in values(status))
    assert status.level == DiagnosticStatus.WARN
    assert {key: values(status)[f'problem: {key}'] for key in ('wrong encoding', 'empty image', 'truncated image')} == {
        'wrong encoding': '1',
        'empty image': '1',
        'truncated image': '1',
    }


def test_lifecycle_down_and_up_again(ros, store):
    graph = Graph(ros)
    graph.show(blank(), STAMP)
    success = TransitionCallbackReturn.SUCCESS
    assert graph.node.trigger_deactivate() == success
    graph.camera.publish(to_image(blank(), STAMP + S))
    ros.spin_for(0.3)
    assert len(graph.faces) == 1
    assert graph.node.trigger_cleanup() == success and ros.node.count_subscribers('image_raw') == 0
    assert graph.node.trigger_configure() == success and graph.node.trigger_activate() == success
    ros.spin_until(lambda: graph.camera.get_subscription_count() and ros.node.count_publishers('emotion/faces'))
    ros.spin_for(0.3)  # until the new publisher has found the old subscription
    graph.show(blank(), STAMP + 2 * S)


@needs_faces
@needs_yunet
def test_clock_that_jumps_back_forgets_the_faces_and_goes_on(ros, store):
    store.fetch('yunet', file=YUNET)
    graph = Graph(ros)
    frame = place(blank(), samples()[20].image, 150, 80, 320)
    assert graph.show(frame, STAMP).faces[0].emotion.subject_id == 'f0001'
    result = graph.show(frame, STAMP - 60 * S)
    assert result.faces[0].emotion.subject_id == 'f0002' and to_ns(result.header.stamp) == STAMP - 60 * S
    assert graph.node.health.problems['clock jumped back'] == 1


def test_unknown_model_at_start_is_said_and_the_node_lives(ros, store):
    graph_node = ros.add(FaceNode())
    graph_node.set_parameters([Parameter('model', value='nonsense')])
    graph_node.autostart()
    diagnostics = ros.collect(DiagnosticArray, '/diagnostics', qos.RESULT)
    status = ros.spin_until(lambda: [s for array in diagnostics for s in array.status if s.name == 'emotion_face'])[0]
    assert status.level == DiagnosticStatus.ERROR
    assert "no model 'nonsense'" in status.message and 'fer_compact' in status.message
    graph_node.set_parameters([Parameter('model', value='fer_compact')])
    assert graph_node.trigger_configure() == TransitionCallbackReturn.SUCCESS


@needs_faces
@needs_yunet
def test_parameters_at_runtime_are_applied_or_refused_with_a_sentence(ros, store):
    graph = Graph(ros)
    (result,) = graph.set(model='nonsense')
    assert not result.successful and "no model 'nonsense'" in result.reason
    assert graph.node.parameters.model == 'fer_compact'
    (result,) = graph.set(detector='yunet')
    assert not result.successful and './emotion models fetch yunet' in result.reason
    (result,) = graph.set(max_faces=0)
    assert not result.successful and 'max_faces' in result.reason
    (result,) = graph.set(image_transport='compressed')
    assert not result.successful
    assert graph.show(blank(), STAMP).detector == 'haar'
    store.fetch('yunet', file=YUNET)
    assert graph.set(detector='yunet')[0].successful
    assert graph.show(blank(), STAMP + S).detector == 'yunet'


def test_says_that_no_image_comes_and_where_it_is_expected(ros, store):
    graph = Graph(ros)
    status = graph.status(lambda status: 'no image' in status.message)
    assert status.message == 'no image on /image_raw: is a camera running? try `./emotion devices`'


def test_latency_is_on_diagnostics(ros, store):
    graph = Graph(ros)
    graph.show(blank(), graph.node.now_ns())
    status = graph.status(lambda status: 'latency_ms_p95' in values(status))
    assert 0 < float(values(status)['latency_ms_p95']) < 1000 and float(values(status)['processing_ms_p50']) > 0
