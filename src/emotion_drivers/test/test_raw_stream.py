import av
import numpy as np

from emotion_drivers.media import Media


def test_stream_without_time_stamps_gives_all_its_frames(tmp_path):
    """H.264 as a robot's camera sends it over a socket has no container, and so no time stamps."""
    path = tmp_path / 'raw.h264'
    with av.open(str(path), 'w', format='h264') as container:
        stream = container.add_stream('libx264', rate=30, options={'tune': 'zerolatency'})
        stream.width, stream.height, stream.pix_fmt = 160, 120, 'yuv420p'
        for level in range(0, 250, 10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((120, 160, 3), level, np.uint8), 'bgr24')))
        container.mux(stream.encode())
    frames = [frame for _, frame in Media(str(path), 'video').decode(seek=False)]
    assert len(frames) == 25
