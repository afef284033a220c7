"""Parameters of the overlay and the web node."""

from dataclasses import dataclass

from emotion_core.parameters import param
from emotion_view.web.access import HOST


@dataclass(frozen=True)
class OverlayParameters:
    """How the overlay is drawn."""

    image_transport: str = param(
        'raw', 'Which image topic to read: image_raw, or image_raw/compressed.', choices=('raw', 'compressed')
    )
    max_age: float = param(2.0, 'What a node said longer ago than this is not drawn [s].', low=0.1, high=60.0)


@dataclass(frozen=True)
class WebParameters:
    """Where the web page is, and what it shows."""

    address: str = param(
        HOST,
        'Address to listen on; 0.0.0.0: all of this machine. Any but a local one asks for a token.',
        read_only=True,
    )
    port: int = param(8088, 'TCP port; 0: any free one.', low=0, high=65535, read_only=True)
    token: str = param(
        '',
        'What visitors must bring; empty: a new one at each start, or none where only this machine can reach the page.',
        read_only=True,
    )
    host_names: str = param(
        '',
        'More names that browsers may call this machine by, such as robot.lan, with commas between.',
        read_only=True,
    )
    image_transport: str = param(
        'raw', 'Which image topic to read: image_raw, or image_raw/compressed.', choices=('raw', 'compressed')
    )
    picture_rate: float = param(20.0, 'A browser gets at most this many pictures a second [Hz].', low=0.1, high=120.0)
    picture_width: int = param(960, 'Wider images are sent smaller [px].', low=16, high=7680)
    jpeg_quality: int = param(80, 'Of the pictures that are sent.', low=1, high=100)
    max_age: float = param(2.0, 'What a node said longer ago than this is not shown [s].', low=0.1, high=60.0)
