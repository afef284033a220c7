import math
import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from emotion_core import qos
from emotion_core.messages import to_header
from emotion_core.testing import ros  # noqa: F401
from emotion_evaluation.live import LiveMeter, LiveReport, percentiles
from emotion_msgs.msg import EmotionProbs, FaceEmotions

MS = 1_000_000


def test_nothing_measured_is_not_a_number():
    assert math.isnan(LiveReport().arrival) and all(map(math.isnan, percentiles([])))


def camera_report(published):
    return DiagnosticArray(
        status=[DiagnosticStatus(name='camera', values=[KeyValue(key='frames', value=str(published))])]
    )


def test_latency_is_from_stamp_to_arrival_and_frames_are_counted_between_reports(ros):
    meter = ros.add(LiveMeter())
    diagnostics = ros.publisher(DiagnosticArray, '/diagnostics', 10)
    faces = ros.publisher(FaceEmotions, 'emotion/faces', qos.RESULT)
    face = ros.publisher(EmotionProbs, 'emotion/face', qos.RESULT)
    meter.begin({})
    seen = meter._snapshots
    diagnostics.publish(camera_report(100))
    ros.spin_until(lambda: len(seen) == 1)
    for _ in range(3):
        faces.publish(FaceEmotions())
    face.publish(EmotionProbs(header=to_header(time.time_ns() - 50 * MS)))
    ros.spin_until(lambda: meter._frames['processed'] == 3 and meter._report.face_ms)
    diagnostics.publish(camera_report(104))
    ros.spin_until(lambda: len(seen) == 2)
    report = meter.end()
    assert (report.frames_published, report.frames_processed, report.processed) == (4, 3, 0.75)
    assert 50 <= report.face_ms[0] < 1000
    assert meter.nodes == {'camera'}
