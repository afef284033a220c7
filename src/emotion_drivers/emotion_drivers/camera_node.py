"""The node ``camera``: images of a camera, stream, video file or folder, as usb_cam and v4l2_camera publish them."""

from collections.abc import Iterator
from typing import Any

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from emotion_core import qos
from emotion_core.messages import to_header
from emotion_core.node import run
from emotion_drivers.driver_node import DriverNode
from emotion_drivers.messages import to_camera_info, to_compressed, to_image
from emotion_drivers.parameters import CameraParameters
from emotion_drivers.player import Frame, play_frames
from emotion_drivers.timeline import PlayClock, Timeline
from emotion_drivers.video import open_video


class CameraNode(DriverNode):
    """Publishes image_raw and camera_info, and image_raw/compressed."""

    def __init__(self):
        """Declare the parameters."""
        super().__init__('camera', CameraParameters)
        self._images = self._infos = self._compressed = None

    def setup(self) -> None:
        """Make the publishers; reliable ones, as the usual drivers', which serve sensor-data subscriptions as well."""
        self._images = self.advertise(Image, 'image_raw', qos.RESULT)
        self._infos = self.advertise(CameraInfo, 'camera_info', qos.RESULT)
        self._compressed = (
            self.advertise(CompressedImage, 'image_raw/compressed', qos.RESULT) if self.parameters.compressed else None
        )

    def open(self) -> Any:
        """Open the source."""
        p = self.parameters
        return open_video(
            p.source, seconds_per_image=p.seconds_per_image, width=p.width, height=p.height, frame_rate=p.frame_rate
        )

    def play(self, source: Any, timeline: Timeline, clock: PlayClock) -> Iterator[Frame]:
        """Give the frames of a file when they are due."""
        return play_frames(source, timeline, clock)

    def deliver(self, frame: Frame) -> None:
        """Publish one frame, in each form that somebody wants."""
        header = to_header(frame.stamp_ns, self.parameters.frame_id)
        if self._images.get_subscription_count():
            self._images.publish(to_image(frame.image, header))
        self._infos.publish(to_camera_info(frame.image, header))
        if self._compressed is not None and self._compressed.get_subscription_count():
            self._compressed.publish(to_compressed(frame.image, header))
        self.health.count('frames')
        self.health.observe('delay_ms', (self.now_ns() - frame.stamp_ns) / 1e6)


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    run(CameraNode, args)


if __name__ == '__main__':
    main()
