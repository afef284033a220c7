"""The node ``microphone``: sound of a microphone, file or folder, as audio_common's audio_capture publishes it."""

from collections.abc import Iterator
from typing import Any

from audio_common_msgs.msg import AudioData, AudioDataStamped, AudioInfo

from emotion_core import qos
from emotion_core.messages import to_header
from emotion_core.node import run
from emotion_drivers.audio import open_audio
from emotion_drivers.driver_node import DriverNode
from emotion_drivers.messages import to_audio, to_audio_info
from emotion_drivers.parameters import MicrophoneParameters
from emotion_drivers.player import Block, play_blocks
from emotion_drivers.timeline import PlayClock, Timeline

INFO_PERIOD_S = 5.0  # audio_capture's


class MicrophoneNode(DriverNode):
    """Publishes audio, audio_stamped and audio_info."""

    def __init__(self):
        """Declare the parameters."""
        super().__init__('microphone', MicrophoneParameters)
        self._audio = self._stamped = self._infos = None
        self._info: AudioInfo | None = None

    def setup(self) -> None:
        """Make the publishers."""
        self._audio = self.advertise(AudioData, 'audio', qos.RESULT)
        self._stamped = self.advertise(AudioDataStamped, 'audio_stamped', qos.RESULT)
        # audio_capture publishes it every 5 s; latched too, so that who comes later need not wait for it.
        self._infos = self.advertise(AudioInfo, 'audio_info', qos.LATCHED)
        self.every(INFO_PERIOD_S, self._publish_info, steady=True)

    def stop(self) -> None:
        """End capturing."""
        super().stop()
        self._info = None

    def open(self) -> Any:
        """Open the source, and say what it gives."""
        p = self.parameters
        source = open_audio(
            p.source,
            sample_rate=p.sample_rate,
            channels=p.channels,
            block_seconds=p.block_seconds,
            gap_seconds=p.gap_seconds,
            seconds_per_file=p.seconds_per_file,
        )
        self._info = to_audio_info(source.sample_rate, source.channels)
        self._publish_info()
        return source

    def play(self, source: Any, timeline: Timeline, clock: PlayClock) -> Iterator[Block]:
        """Give the blocks of a file when they are due."""
        return play_blocks(source, timeline, clock, round(self.parameters.block_seconds * source.sample_rate))

    def deliver(self, block: Block) -> None:
        """Publish one block, with and without its stamp."""
        data = to_audio(block.samples)
        self._audio.publish(data)
        self._stamped.publish(AudioDataStamped(header=to_header(block.stamp_ns, self.parameters.frame_id), audio=data))
        self.health.count('blocks')

    def _publish_info(self) -> None:
        if self._info is not None:
            self._infos.publish(self._info)


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    run(MicrophoneNode, args)


if __name__ == '__main__':
    main()
