"""Speed and latency of a running graph, seen from a process of its own."""

import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import psutil
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from sensor_msgs.msg import Image

from emotion_core import qos
from emotion_core.messages import to_ns
from emotion_msgs.msg import EmotionProbs, FaceEmotions, FusedEmotion

NS_PER_MS = 1e6
CAMERA, PUBLISHED = 'camera', 'frames'  # the node that counts the frames it publishes, and the name of the count


@dataclass
class LiveReport:
    """What was measured; latencies in ms, from a message's stamp to its arrival here."""

    seconds: float = 0.0
    frames_published: int = 0  # by the camera node, between its first and last report
    frames_received: int = 0  # here, at sensor-data QoS, in the same time
    frames_processed: int = 0  # emotion/faces, in the same time
    face_ms: list[float] = field(default_factory=list)  # acquisition of the frame -> emotion/face
    speech_ms: list[float] = field(default_factory=list)  # end of the voice, as the node says -> final emotion/speech
    speech_heard: list[tuple[float, float]] = field(
        default_factory=list
    )  # that end and the arrival [s since the epoch]
    fused_count: int = 0
    cpu_percent: dict[str, float] = field(default_factory=dict)  # of one core, by node

    @property
    def arrival(self) -> float:
        """Share of the published frames that arrived here; NaN when none was published."""
        return self.frames_received / self.frames_published if self.frames_published else float('nan')

    @property
    def processed(self) -> float:
        """Share of the published frames that came back as emotion/faces; NaN when none was published."""
        return self.frames_processed / self.frames_published if self.frames_published else float('nan')


def percentiles(values: list[float]) -> tuple[float, float]:
    """Give the 50th and the 95th percentile; NaN when there are no values."""
    return tuple(np.percentile(values, (50, 95))) if values else (float('nan'), float('nan'))


class LiveMeter(Node):
    """Listens to a running graph; ``begin`` and ``end`` bracket what is measured."""

    def __init__(self, namespace: str = ''):
        """Subscribe to the graph in this namespace."""
        super().__init__('emotion_bench', namespace=namespace)
        self._report: LiveReport | None = None
        self.nodes: set[str] = set()  # names of the nodes in this namespace that report on /diagnostics
        self.create_subscription(Image, 'image_raw', self._on_image, qos.SENSOR)
        self.create_subscription(EmotionProbs, 'emotion/face', self._on_face, qos.FACE)
        self.create_subscription(FaceEmotions, 'emotion/faces', self._on_faces, qos.RESULT)
        self.create_subscription(EmotionProbs, 'emotion/speech', self._on_speech, qos.RESULT)
        self.create_subscription(FusedEmotion, 'emotion/fused', self._on_fused, qos.RESULT)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)

    @property
    def is_measuring(self) -> bool:
        """Tell whether ``begin`` was called, and ``end`` not yet."""
        return self._report is not None

    def begin(self, processes: dict[str, psutil.Process]) -> None:
        """Start to measure; the CPU time of these processes too, by node name."""
        self._report = LiveReport()
        self._processes = processes
        self._cpu_before = {name: _cpu_seconds(process) for name, process in processes.items()}
        self._frames = Counter()
        self._snapshots: list[tuple[int, int, int]] = []  # published, received, processed, at each report of the camera
        self._began = time.monotonic()

    def end(self) -> LiveReport:
        """Stop to measure, and give what was."""
        report, self._report = self._report, None
        report.seconds = time.monotonic() - self._began
        report.cpu_percent = {
            name: 100 * (_cpu_seconds(process) - self._cpu_before[name]) / report.seconds
            for name, process in self._processes.items()
        }
        if self._snapshots:
            report.frames_published, report.frames_received, report.frames_processed = np.subtract(
                self._snapshots[-1], self._snapshots[0]
            ).tolist()
        return report

    def _age_ms(self, stamp_ns: int) -> float:
        return (self.get_clock().now().nanoseconds - stamp_ns) / NS_PER_MS

    def _on_image(self, msg: Image) -> None:
        if self._report:
            self._frames['received'] += 1

    def _on_faces(self, msg: FaceEmotions) -> None:
        if self._report:
            self._frames['processed'] += 1

    def _on_face(self, msg: EmotionProbs) -> None:
        if self._report:
            self._report.face_ms.append(self._age_ms(to_ns(msg.header.stamp)))

    def _on_speech(self, msg: EmotionProbs) -> None:
        if self._report and msg.is_final:
            stamp_ns = to_ns(msg.header.stamp)
            self._report.speech_ms.append(self._age_ms(stamp_ns))
            self._report.speech_heard.append((stamp_ns / 1e9, time.time()))

    def _on_fused(self, msg: FusedEmotion) -> None:
        if self._report:
            self._report.fused_count += 1

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        namespace = self.get_namespace().strip('/')
        for status in msg.status:
            place, _, node = status.name.rpartition('/')
            if place != namespace:
                continue
            self.nodes.add(node)
            if self._report and node == CAMERA:
                published = {pair.key: pair.value for pair in status.values}.get(PUBLISHED, '0')
                self._snapshots.append((int(published), self._frames['received'], self._frames['processed']))


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
