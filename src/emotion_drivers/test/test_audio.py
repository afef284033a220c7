import numpy as np
import pytest
import soundfile
from clips import FLASH_S, LOUD, SAMPLE_RATE, SECONDS, write_clip

from emotion_core.errors import DeviceError
from emotion_core.stamps import NS_PER_S
from emotion_drivers.audio import SampleClock, mix, open_audio, to_int16
from emotion_drivers.timeline import PlayClock

RATE = 22_050


def read(sound, start=0):
    return np.concatenate([np.zeros((0, sound.channels), np.int16), *sound.samples(start)])


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(-20_000, 20_000, (RATE, 2)).astype(np.int16)


@pytest.mark.parametrize('suffix', ['.wav', '.flac'])
def test_a_file_gives_the_samples_that_are_in_it(tmp_path, noise, suffix):
    soundfile.write(tmp_path / f'a{suffix}', noise, RATE)
    sound = open_audio(str(tmp_path / f'a{suffix}'))
    assert (sound.sample_rate, sound.channels, sound.duration_ns) == (RATE, 2, NS_PER_S)
    assert np.array_equal(read(sound), noise)
    assert np.array_equal(read(sound, 12_345), noise[12_345:])
    assert len(read(sound, RATE)) == 0


def test_a_float_file_is_scaled_and_clipped(tmp_path):
    soundfile.write(tmp_path / 'a.wav', np.array([0.5, -1.0, 3.0, -3.0]), RATE, subtype='FLOAT')
    assert read(open_audio(str(tmp_path / 'a.wav')))[:, 0].tolist() == [16_384, -32_768, 32_767, -32_768]


def test_one_channel_is_the_mean_of_all():
    assert mix(np.array([[0.2, 0.4]]), 1).tolist() == [[pytest.approx(0.3)]]
    assert mix(np.array([[0.2]]), 2).tolist() == [[0.2, 0.2]]
    assert to_int16(np.array([0.0, 1.0])).tolist() == [0, 32_767]


@pytest.mark.parametrize('wanted', [16_000, 44_100, 48_000])
def test_resampled_sound_is_the_same_from_wherever_it_begins(tmp_path, noise, wanted):
    soundfile.write(tmp_path / 'a.wav', noise, RATE)
    sound = open_audio(str(tmp_path / 'a.wav'), sample_rate=wanted, channels=1)
    whole = read(sound)
    assert len(whole) == pytest.approx(wanted, abs=2)
    begin = wanted // 3 + 1
    midway = read(sound, begin)
    settled = wanted // 100  # the filter sees no samples before the place where it begins
    assert len(midway) == len(whole) - begin
    assert np.abs(midway[settled:].astype(int) - whole[begin + settled :]).max() <= 2


def test_resampling_keeps_a_tone_in_time(tmp_path):
    time = np.arange(RATE) / RATE
    soundfile.write(tmp_path / 'a.wav', 0.5 * np.sin(2 * np.pi * 440 * time), RATE)
    samples = read(open_audio(str(tmp_path / 'a.wav'), sample_rate=16_000))[:, 0] / 32_768
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(samples)) / 16_000)
    assert np.abs(samples - expected)[200:-200].max() < 0.001


@pytest.mark.parametrize(
    'name, codec', [('a.mkv', 'flac'), ('a.mp4', 'aac'), ('a.mkv', 'pcm_s16le'), ('a.mkv', 'libopus')]
)
def test_the_sound_of_a_video_is_on_its_time_line(tmp_path, name, codec):
    sound = open_audio(str(write_clip(tmp_path / name, codec=codec)), channels=1)
    assert sound.duration_ns == pytest.approx(SECONDS * NS_PER_S, abs=NS_PER_S // 50)
    samples = read(sound)
    click = np.argmax(np.abs(samples) > LOUD // 2) / sound.sample_rate
    assert click == pytest.approx(FLASH_S, abs=0.003)  # codecs smear an edge a little
    begin = int(0.9 * SAMPLE_RATE)
    click = (np.argmax(np.abs(read(sound, begin)) > LOUD // 2) + begin) / SAMPLE_RATE
    assert click == pytest.approx(FLASH_S, abs=0.003)


def test_the_files_of_a_folder_follow_each_other_with_a_gap(tmp_path):
    soundfile.write(tmp_path / 'a.wav', np.full(8000, 0.25), 8000)
    soundfile.write(tmp_path / 'b.wav', np.full(16_000, 0.5), 16_000)  # another rate, the same length
    (tmp_path / 'notes.txt').write_text('not a sound')
    sound = open_audio(str(tmp_path), gap_seconds=0.5)
    samples = read(sound)[:, 0] / 32_768
    assert sound.sample_rate == 8000
    assert sound.duration_ns == 3 * NS_PER_S
    assert len(samples) == 24_000
    assert np.allclose(samples[:8000], 0.25)
    assert not samples[8000:12_000].any()
    assert np.allclose(samples[12_100:19_900], 0.5, atol=0.01)  # the filter rings at the edges
    assert np.array_equal(read(sound, 9000)[:, 0], read(sound)[9000:, 0])


def test_the_files_of_a_folder_can_begin_as_often_as_images_change(tmp_path):
    soundfile.write(tmp_path / 'a.wav', np.full(8000, 0.25), 8000)
    soundfile.write(tmp_path / 'b.wav', np.full(32_000, 0.5), 8000)
    sound = open_audio(str(tmp_path), seconds_per_file=2.0)
    samples = read(sound)[:, 0]
    assert sound.duration_ns == 4 * NS_PER_S
    assert len(samples) == 32_000
    assert not samples[8000:16_000].any()
    assert (samples[16_000:] == 16_384).all()


@pytest.mark.parametrize(
    'source, sentence',
    [
        ('no such device', "there is no file and no microphone 'no such device'"),
        ('{tmp}/missing.wav', 'there is no file or folder'),
        ('{tmp}/damaged.wav', "cannot read '.*damaged.wav'"),
        ('{tmp}/none.wav', 'has no sound in it'),
        ('{tmp}/empty', 'has no sound files'),
    ],
)
def test_what_cannot_be_opened_says_why(tmp_path, source, sentence):
    (tmp_path / 'damaged.wav').write_bytes(bytes(range(256)) * 20)
    soundfile.write(tmp_path / 'none.wav', np.zeros(0), 8000)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DeviceError, match=sentence):
        open_audio(source.format(tmp=tmp_path))


def test_stamps_of_a_live_device_are_even_and_follow_the_clock():
    clock = SampleClock(16_000)
    random = np.random.default_rng(0)
    drift, jitter_ns = 1.0001, 10e6
    arrivals = [round((index + 1) * 50e6 * drift + random.uniform(0, jitter_ns)) for index in range(2000)]
    stamps = np.array([clock.stamp(arrival, 800) for arrival in arrivals])
    steps = np.diff(stamps)[200:]
    assert np.abs(steps - 50e6).max() < 0.5e6
    assert np.abs(stamps - np.array(arrivals) + 50e6)[200:].max() < 10e6


def test_stamps_of_a_live_device_begin_anew_after_a_loss():
    clock = SampleClock(16_000)
    clock.stamp(NS_PER_S, 800)
    assert clock.stamp(5 * NS_PER_S, 800) == 5 * NS_PER_S - 50_000_000


def test_a_live_device_gives_blocks_of_equal_length():
    pytest.importorskip('miniaudio')
    clock = PlayClock()
    microphone = open_audio('null', sample_rate=16_000, channels=2, block_seconds=0.02)
    try:
        blocks = []
        for block in microphone.capture(clock):
            blocks.append(block)
            if len(blocks) == 10:
                clock.stop()
                break
    finally:
        microphone.close()
    assert all(block.samples.shape == (320, 2) for block in blocks)
    assert np.diff([block.stamp_ns for block in blocks]) == pytest.approx(20e6, abs=5e6)
    assert abs(blocks[-1].stamp_ns - clock.now_ns()) < NS_PER_S
