import http.server
import threading
import time

import cv2
import numpy as np
import pytest
from clips import DARK, FLASH_S, RATE_HZ, SECONDS, WHITE, write_clip

from emotion_core.errors import DeviceError
from emotion_core.stamps import NS_PER_S
from emotion_drivers.timeline import PlayClock
from emotion_drivers.video import Camera, _Pacer, fit, open_video

FRAME_NS = NS_PER_S // RATE_HZ


@pytest.fixture(scope='module', params=[('mkv', 'flac'), ('mp4', 'aac')], ids=['mkv', 'mp4'])
def clip(request, tmp_path_factory):
    suffix, codec = request.param
    return write_clip(tmp_path_factory.mktemp('clip') / f'clip.{suffix}', codec=codec)


def write_images(folder, levels):
    for index, level in enumerate(levels):
        cv2.imwrite(str(folder / f'{index}.png'), np.full((48, 64, 3), level, np.uint8))
    (folder / 'notes.txt').write_text('not an image')
    return str(folder)


def test_every_frame_of_a_file_comes_with_its_exact_position(clip):
    video = open_video(str(clip))
    pictures = [(position, decode().mean()) for position, decode in video.pictures(0)]
    assert [position for position, _ in pictures] == [index * FRAME_NS for index in range(int(SECONDS * RATE_HZ))]
    assert [position for position, mean in pictures if mean > (WHITE + DARK) / 2] == [FLASH_S * NS_PER_S]
    assert video.duration_ns == SECONDS * NS_PER_S


def test_a_file_can_begin_anywhere(clip):
    video = open_video(str(clip))
    position, _ = next(video.pictures(13 * FRAME_NS - 1))
    assert position == 13 * FRAME_NS
    position, decode = next(video.pictures(int(FLASH_S * NS_PER_S)))
    assert position == FLASH_S * NS_PER_S
    assert decode().mean() > (WHITE + DARK) / 2
    assert next(video.pictures(0))[0] == 0


@pytest.mark.parametrize('seconds', [SECONDS, 24.0])  # in the second a key frame comes every ten seconds
def test_a_transport_stream_which_cannot_be_sought_can_begin_anywhere_too(tmp_path, seconds):
    video = open_video(str(write_clip(tmp_path / 'clip.ts', seconds, codec='aac')))
    positions = [position for position, _ in video.pictures(0)]
    assert len(positions) == seconds * RATE_HZ
    assert np.diff(positions).tolist() == [FRAME_NS] * (len(positions) - 1)
    assert positions[0] < FRAME_NS  # its sound begins a little earlier
    for index in (13, len(positions) // 2, 13, len(positions) - 1):
        assert next(video.pictures(positions[index]))[0] == positions[index]


def test_a_lower_frame_rate_takes_fewer_frames_and_leaves_their_positions(clip):
    positions = [position for position, _ in open_video(str(clip), frame_rate=5.0).pictures(0)]
    assert positions == [index * NS_PER_S // 5 for index in range(10)]


def test_a_frame_rate_that_is_the_files_own_takes_all(clip):
    assert len(list(open_video(str(clip), frame_rate=float(RATE_HZ)).pictures(0))) == SECONDS * RATE_HZ


def test_frames_are_scaled_to_what_is_wanted(clip):
    _, decode = next(open_video(str(clip), width=320, height=240).pictures(0))
    assert decode().shape == (240, 320, 3)


@pytest.mark.parametrize(
    'wanted, size', [((0, 0), (80, 40)), ((40, 0), (40, 20)), ((0, 80), (160, 80)), ((60, 60), (60, 60))]
)
def test_fit_gives_the_wanted_size(wanted, size):
    assert fit(np.zeros((40, 80, 3), np.uint8), *wanted).shape == (*reversed(size), 3)


def test_fit_keeps_proportions_and_centres():
    fitted = fit(np.full((40, 80, 3), 200, np.uint8), 80, 80)
    assert (fitted[20:60] == 200).all()
    assert not fitted[:20].any() and not fitted[60:].any()


def test_the_images_of_a_folder_are_shown_in_order_and_for_as_long_as_wanted(tmp_path):
    video = open_video(write_images(tmp_path, [10, 20, 30]), seconds_per_image=0.5, frame_rate=10.0)
    shown = [(position, decode()[0, 0, 0]) for position, decode in video.pictures(0)]
    assert shown == [(index * NS_PER_S // 10, [10, 20, 30][index // 5]) for index in range(15)]
    assert video.duration_ns == 1.5 * NS_PER_S
    assert next(video.pictures(NS_PER_S // 2))[0] == NS_PER_S // 2


def test_one_image_is_a_folder_of_one(tmp_path):
    write_images(tmp_path, [77])
    _, decode = next(open_video(str(tmp_path / '0.png')).pictures(0))
    assert (decode() == 77).all()


@pytest.mark.parametrize(
    'source, sentence',
    [
        ('99', 'there is no camera /dev/video99'),
        ('/dev/video99', 'there is no camera /dev/video99'),
        ('{tmp}/missing.mp4', 'there is no file or folder'),
        ('{tmp}/damaged.mp4', "cannot read '.*damaged.mp4'"),
        ('{tmp}/empty', 'has no images'),
        ('http://127.0.0.1:9/nobody', 'Connection refused'),
    ],
)
def test_what_cannot_be_opened_says_why(tmp_path, source, sentence):
    (tmp_path / 'damaged.mp4').write_bytes(bytes(range(256)) * 20)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DeviceError, match=sentence):
        open_video(source.format(tmp=tmp_path))


def test_a_damaged_image_in_a_folder_is_named(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'not a picture')
    (tmp_path / 'b.png').write_bytes(b'')
    for _, decode in open_video(str(tmp_path), seconds_per_image=1.0, frame_rate=1.0).pictures(0):
        with pytest.raises(DeviceError, match=r"'.*[ab].png' is not an image"):
            decode()


def test_a_sound_file_is_no_video(tmp_path):
    import soundfile

    soundfile.write(tmp_path / 'a.wav', np.zeros(100), 8000)
    with pytest.raises(DeviceError, match='has no video'):
        open_video(str(tmp_path / 'a.wav'))


class MotionJpeg(http.server.BaseHTTPRequestHandler):
    """A network camera that gives five images and hangs up."""

    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=frame')
        self.end_headers()
        for level in range(0, 250, 50):
            jpeg = cv2.imencode('.jpg', np.full((48, 64, 3), level, np.uint8))[1].tobytes()
            head = b'--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n' % len(jpeg)
            self.wfile.write(head + jpeg + b'\r\n')

    def log_message(self, *arguments):
        pass


def test_a_stream_gives_its_frames_and_says_when_it_has_gone():
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), MotionJpeg)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    means = []
    try:
        with pytest.raises(DeviceError, match=f':{server.server_port}/video'):
            for frame in open_video(f'http://127.0.0.1:{server.server_port}/video').capture(PlayClock()):
                means.append(frame.image.mean())
    finally:
        server.shutdown()
        server.server_close()
    assert np.allclose(means, range(0, 250, 50), atol=2)


@pytest.mark.parametrize('jitter_ms', [0, 2, 4, 8])
@pytest.mark.parametrize('rate_hz, share', [(25, 1.0), (30, 1.0), (60, 0.5)])
def test_a_stream_is_thinned_to_the_rate_and_not_by_its_jitter(rate_hz, share, jitter_ms):
    late_s = np.random.default_rng(0).normal(0, jitter_ms / 1000, 3000)
    stamps = np.maximum.accumulate(NS_PER_S * (1000 + np.arange(3000) / rate_hz + late_s))
    wanted = _Pacer(30.0)
    assert sum(wanted(int(stamp)) for stamp in stamps) == pytest.approx(3000 * share, abs=3)
    assert wanted(int(stamps[0])) and all(map(_Pacer(0.0), range(9)))  # also where the clock is set back


class ThreeFrames:
    """In place of cv2.VideoCapture: a camera that is unplugged after three frames, each taken 40 ms before it comes."""

    wishes: dict[int, float] = {}

    def __init__(self, path, backend):
        self.count = 0

    def isOpened(self):
        return True

    def set(self, wish, value):
        self.wishes[wish] = value

    def get(self, what):
        assert what == cv2.CAP_PROP_POS_MSEC
        return (time.monotonic() - 0.04) * 1000

    def grab(self):
        self.count += 1
        return self.count <= 3

    def retrieve(self):
        return self.count != 2, np.full((4, 4, 3), self.count, np.uint8)  # the second is damaged

    def release(self):
        pass


def test_frames_of_a_camera_are_stamped_with_when_they_were_taken(monkeypatch, tmp_path):
    (tmp_path / 'video0').touch()
    monkeypatch.setattr(cv2, 'VideoCapture', ThreeFrames)
    clock, frames = PlayClock(), []
    with pytest.raises(DeviceError, match='is it unplugged'):
        for frame in Camera(str(tmp_path / 'video0'), 1280, 720, 30.0).capture(clock):
            frames.append(frame)
            assert 0.039 < (clock.now_ns() - frame.stamp_ns) / NS_PER_S < 0.5
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 3]
    assert ThreeFrames.wishes == {
        cv2.CAP_PROP_FOURCC: cv2.VideoWriter_fourcc(*'MJPG'),
        cv2.CAP_PROP_FRAME_WIDTH: 1280,
        cv2.CAP_PROP_FRAME_HEIGHT: 720,
        cv2.CAP_PROP_FPS: 30.0,
    }
