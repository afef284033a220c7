"""Two processes that talk over DDS: what ``emotion doctor`` finds out about discovery and image transport."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import rclpy
from rclpy.executors import ExternalShutdownException
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from emotion_core import qos
from emotion_core.messages import to_ns
from emotion_core.stamps import NS_PER_S

WIDTH, HEIGHT, RATE_HZ = 640, 480, 30
DISCOVERY_S = 10.0  # until the other process must have been found
LOOK_S = 2.0  # how long frames are counted


@dataclass(frozen=True)
class ProbeResult:
    """What the receiving process saw."""

    found: bool = False  # the other process
    published: int = 0  # frames, while they were counted
    received: int = 0
    latency_ms: float = 0.0  # median, from stamp to arrival


def receive(topic: str) -> ProbeResult:
    """Count what arrives from a process that runs ``send``."""
    node = rclpy.create_node('emotion_probe_receiver')
    headers, frames = [], []
    node.create_subscription(Header, f'{topic}/header', headers.append, qos.RESULT)
    node.create_subscription(
        Image, f'{topic}/image', lambda image: frames.append((image.header, time.time())), qos.SENSOR
    )
    deadline = time.monotonic() + DISCOVERY_S
    while not headers and time.monotonic() < deadline:
        rclpy.spin_once(node, timeout_sec=0.1)
    if not headers:
        return ProbeResult()
    deadline = time.monotonic() + 0.5  # both subscriptions are matched by then
    while time.monotonic() < deadline:
        rclpy.spin_once(node, timeout_sec=0.05)
    first = int(headers[-1].frame_id)
    frames.clear()
    deadline = time.monotonic() + LOOK_S
    while time.monotonic() < deadline:
        rclpy.spin_once(node, timeout_sec=0.05)
    last = int(headers[-1].frame_id)
    counted = [(header, at) for header, at in frames if first < int(header.frame_id) <= last]
    latencies = sorted(at - to_ns(header.stamp) / NS_PER_S for header, at in counted)
    median = 1000 * latencies[len(latencies) // 2] if latencies else 0.0
    return ProbeResult(True, last - first, len(counted), round(median, 1))


def send(topic: str) -> None:
    """Publish numbered frames, each announced by a small reliable message, until told to end."""
    node = rclpy.create_node('emotion_probe_sender')
    headers = node.create_publisher(Header, f'{topic}/header', qos.RESULT)
    images = node.create_publisher(Image, f'{topic}/image', qos.SENSOR)
    image = Image(width=WIDTH, height=HEIGHT, encoding='bgr8', step=3 * WIDTH)
    image.data.frombytes(bytes(3 * WIDTH * HEIGHT))

    def publish() -> None:
        image.header.stamp = node.get_clock().now().to_msg()
        image.header.frame_id = str(int(image.header.frame_id or 0) + 1)
        images.publish(image)
        headers.publish(image.header)

    node.create_timer(1 / RATE_HZ, publish)
    rclpy.spin(node)


def probe(topic: str, environ: Mapping[str, str] | None = None) -> ProbeResult:
    """Run both processes, in this environment or another one, and give what the receiver saw."""
    command = [sys.executable, '-m', 'emotion_bringup.probe', topic]
    sender = subprocess.Popen([*command, 'send'], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        receiver = subprocess.run(
            [*command, 'receive'], env=environ, capture_output=True, text=True, timeout=DISCOVERY_S + 30
        )
        return ProbeResult(**json.loads(receiver.stdout.splitlines()[-1]))
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        return ProbeResult()
    finally:
        sender.terminate()  # so that it takes its shared memory away
        try:
            sender.wait(5)
        except subprocess.TimeoutExpired:
            sender.kill()
            sender.wait()


def main() -> None:
    """Run one side: ``TOPIC send`` or ``TOPIC receive``."""
    topic, side = sys.argv[1:]
    rclpy.init(args=[])
    try:
        if side == 'send':
            send(topic)
        else:
            print(json.dumps(asdict(receive(topic))))
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
