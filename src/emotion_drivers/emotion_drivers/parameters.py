"""Parameters of the camera and the microphone node."""

from dataclasses import dataclass

from emotion_core.parameters import param


@dataclass(frozen=True)
class DriverParameters:
    """What both drivers have."""

    loop: bool = param(False, 'Play a file or folder again and again.', read_only=True)
    start_at: float = param(
        0.0,
        "When a file begins on the node's clock [s since the epoch]; give camera and microphone the same to keep "
        'their common time line; 0: as soon as the node is active.',
        low=0.0,
        high=1e10,
        read_only=True,
    )
    exit_at_end: bool = param(
        False, 'End the process, with code 0, when a file that is not looped has ended.', read_only=True
    )


@dataclass(frozen=True)
class CameraParameters(DriverParameters):
    """Parameters of the camera node."""

    source: str = param(
        '0',
        "Camera index ('0'), device path, video file, folder of images, or stream URL (rtsp://, http://).",
        read_only=True,
    )
    frame_rate: float = param(
        0.0,
        'Frames per second [Hz]: asked of a device, the most that is taken of a file or stream; 0: what the '
        'source has, 30 for a folder of images.',
        low=0.0,
        high=240.0,
        read_only=True,
    )
    width: int = param(
        0,
        "Width [px]: asked of a device, what a file is scaled to; 0: the source's own.",
        low=0,
        high=7680,
        read_only=True,
    )
    height: int = param(0, 'Height [px], like width.', low=0, high=4320, read_only=True)
    seconds_per_image: float = param(
        2.0, 'How long each image of a folder is shown [s].', low=0.02, high=3600.0, read_only=True
    )
    compressed: bool = param(
        True, 'Offer image_raw/compressed (JPEG) too, encoded while somebody subscribes.', read_only=True
    )
    frame_id: str = param('camera', 'Frame of the images.', read_only=True)


@dataclass(frozen=True)
class MicrophoneParameters(DriverParameters):
    """Parameters of the microphone node."""

    source: str = param(
        'default',
        "'default', device index or name, 'null' (silence), sound or video file, or folder of sound files.",
        read_only=True,
    )
    sample_rate: int = param(0, "Samples per second [Hz]; 0: the source's own.", low=0, high=192_000, read_only=True)
    channels: int = param(1, "Channels; 0: the source's own.", low=0, high=32, read_only=True)
    block_seconds: float = param(0.05, 'Length of one message [s].', low=0.005, high=1.0, read_only=True)
    gap_seconds: float = param(1.0, 'Silence after each file of a folder [s].', low=0.0, high=60.0, read_only=True)
    seconds_per_file: float = param(
        0.0,
        'A file of a folder begins every so many seconds, cut where it is longer [s], as seconds_per_image does '
        'for images; 0: one after another, with gap_seconds between.',
        low=0.0,
        high=3600.0,
        read_only=True,
    )
    frame_id: str = param('microphone', 'Frame of the audio.', read_only=True)
