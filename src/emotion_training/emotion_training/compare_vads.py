"""
Compare voice activity detectors on recordings with noise added, and print the table of emotion_speech/README.md.

``python -m emotion_training.compare_vads RAVDESS nEMO/samples``; the rows of WebRTC appear where webrtcvad-wheels
is installed. A clip's true speech is where its clean energy is; clips follow one another in streams with two seconds
of noise between them, so that a detector keeps what it has learned of the noise, as it does in a room. F1 and errors
are those at one threshold; AUROC knows no threshold.
"""

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from emotion_core.metrics import auroc
from emotion_speech.quality import to_dbfs
from emotion_speech.segmenter import Segmentation
from emotion_speech.vad import DETECTORS, FRAME, RATE, VoiceActivityDetector
from emotion_training import sound
from emotion_training.speech_augmentation import ACTIVE_DB, babble

STREAM = 8  # clips
GAP_S = 2.0
SPEECH_RMS = 0.05  # linear level that each clip's speech is brought to
CLOSED_FRAMES = 6  # pauses this short (0.2 s) belong to the speech around them
SNRS_DB = (20, 10, 5, 0)
BABBLERS = 6


class WebRtcVad:
    """The share of WebRTC's four modes that hear a voice in the newest 30 ms of a frame."""

    NEWEST = RATE * 30 // 1000  # samples; it takes 10, 20 or 30 ms

    def __init__(self) -> None:
        """Raise ImportError when webrtcvad-wheels is not installed."""
        import webrtcvad

        self._modes = [webrtcvad.Vad(mode) for mode in range(4)]

    def __call__(self, frame: np.ndarray) -> float:
        """Give one of five values in [0, 1]."""
        pcm = (np.clip(frame[-self.NEWEST :], -1, 1) * 32767).astype('<i2').tobytes()
        return sum(mode.is_speech(pcm, RATE) for mode in self._modes) / len(self._modes)

    def reset(self) -> None:
        """Forget the stream so far."""
        self.__init__()


def read(path: Path) -> np.ndarray:
    """Give a clip as mono at RATE, its speech at SPEECH_RMS."""
    samples = sound.load(path.read_bytes(), path.name)
    speech = samples[in_samples(speech_frames(samples))]
    return samples * SPEECH_RMS / max(float(np.sqrt(np.square(speech).mean())), 1e-6)


def in_samples(frames: np.ndarray) -> np.ndarray:
    """Give the indices of the samples of these frames."""
    return np.flatnonzero(np.repeat(frames, FRAME))


def speech_frames(samples: np.ndarray) -> np.ndarray:
    """Tell for each whole frame of a clean clip whether it is speech, short pauses included."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    level = to_dbfs(np.square(frames, dtype=np.float64).mean(axis=1))
    speech = level > level.max() - ACTIVE_DB
    where = np.flatnonzero(speech)
    for first, second in zip(where, where[1:]):
        if second - first <= CLOSED_FRAMES:
            speech[first:second] = True
    return speech


def streams(paths: list[Path]) -> Iterator[tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]]:
    """Give streams of STREAM clips: samples, truth per frame, and the first and last speech frame of each clip."""
    gap = np.zeros(int(GAP_S * RATE) // FRAME * FRAME, np.float32)
    for start in range(0, len(paths) - STREAM + 1, STREAM):
        parts, truths, words, offset = [], [], [], 0
        for path in paths[start : start + STREAM]:
            clip = read(path)
            truth = speech_frames(clip)
            clip = np.concatenate((gap, clip[: len(truth) * FRAME]))
            truth = np.concatenate((np.zeros(len(gap) // FRAME, bool), truth))
            words.append((offset + int(np.flatnonzero(truth)[0]), offset + int(np.flatnonzero(truth)[-1]) + 1))
            offset += len(truth)
            parts.append(clip)
            truths.append(truth)
        yield np.concatenate(parts), np.concatenate(truths), words


def noisy(clean: np.ndarray, kind: str, snr_db: float, babblers: list[Path], rng: np.random.Generator) -> np.ndarray:
    """Add white noise, or people who all talk at once, to a stream whose speech is at SPEECH_RMS."""
    if kind == 'white':
        noise = rng.standard_normal(len(clean)).astype(np.float32)
    else:
        voices = []
        for _ in range(BABBLERS):
            clips = [read(path) for path in rng.choice(np.array(babblers, object), 3 * STREAM)]
            voices.append(np.concatenate([clip[in_samples(speech_frames(clip))] for clip in clips]))
        noise = babble(len(clean), voices, rng)
    return clean + noise * np.float32(SPEECH_RMS / 10 ** (snr_db / 20) / np.sqrt(np.square(noise).mean()))


def f1(voice: np.ndarray, truth: np.ndarray) -> float:
    """Give the harmonic mean of precision and recall."""
    return float(2 * (voice & truth).sum() / max(voice.sum() + truth.sum(), 1))


def edges(voice: np.ndarray, words: list[tuple[int, int]]) -> np.ndarray:
    """Give the absolute errors of onset and offset [s] of each clip, of what is heard within a second around it."""
    margin, errors = RATE // FRAME, []
    for first, last in words:
        heard = np.flatnonzero(voice[max(first - margin, 0) : last + margin]) + max(first - margin, 0)
        errors.append((abs(heard[0] - first), abs(heard[-1] + 1 - last)) if len(heard) else (margin, margin))
    return np.array(errors) * FRAME / RATE


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('folders', nargs='+', type=Path, help='folders of clips of clean speech')
    parser.add_argument('--clips', type=int, default=40, help='clips of each folder (default: 40)')
    parser.add_argument(
        '--threshold',
        type=float,
        default=Segmentation.threshold,
        help='voice probability from which a frame is a voice (default: that of the node)',
    )
    arguments = parser.parse_args()
    draw, rng = random.Random(0), np.random.default_rng(0)
    paths, babblers = [], []
    for folder in arguments.folders:
        found = sorted(path for path in folder.rglob('*') if path.suffix in sound.SOUND)
        drawn = draw.sample(found, 2 * arguments.clips)
        paths += drawn[: arguments.clips]
        babblers += drawn[arguments.clips :]
    detectors: dict[str, VoiceActivityDetector] = {name: kind() for name, kind in DETECTORS.items()}
    try:
        detectors['webrtc'] = WebRtcVad()
    except ImportError:
        print('without WebRTC: webrtcvad-wheels is not installed')
    conditions = [('clean', None)] + [(kind, snr) for kind in ('white', 'babble') for snr in SNRS_DB]
    scores: dict[tuple[str, str, float | None], list[np.ndarray]] = {}
    truths, all_words, cpu, seconds, offset = [], [], dict.fromkeys(detectors, 0.0), 0.0, 0
    for clean, truth, words in streams(paths):
        truths.append(truth)
        all_words += [(first + offset, last + offset) for first, last in words]
        offset += len(truth)
        for kind, snr_db in conditions:
            samples = clean if snr_db is None else noisy(clean, kind, snr_db, babblers, rng)
            seconds += len(samples) / RATE
            for name, detector in detectors.items():
                detector.reset()
                started = time.process_time()
                given = [detector(frame) for frame in samples.reshape(-1, FRAME)]
                cpu[name] += time.process_time() - started
                scores.setdefault((name, kind, snr_db), []).append(np.array(given))
    truth = np.concatenate(truths)
    print(f'{len(all_words)} clips, {len(truth)} frames, {truth.mean():.0%} speech\n')
    print(
        '| detector | condition | AUROC | F1 | onset error, median / p90 [s] | offset error, median / p90 [s] |\n'
        '|---|---|---|---|---|---|'
    )
    for name in detectors:
        joined = {condition: np.concatenate(scores[(name, *condition)]) for condition in conditions}
        means = []
        for (kind, snr_db), given in joined.items():
            voice = given >= arguments.threshold
            errors = edges(voice, all_words)
            (on50, off50), (on90, off90) = np.percentile(errors, (50, 90), axis=0)
            means.append((auroc(given, truth), f1(voice, truth)))
            condition = kind if snr_db is None else f'{kind} {snr_db} dB'
            print(
                f'| {name} | {condition} | {means[-1][0]:.3f} | {means[-1][1]:.3f} | '
                f'{on50:.2f} / {on90:.2f} | {off50:.2f} / {off90:.2f} |'
            )
        mean = np.mean(means, axis=0)
        print(
            f'| **{name}** | mean | **{mean[0]:.3f}** | **{mean[1]:.3f}** | '
            f'{1000 * cpu[name] / seconds:.0f} ms CPU per second of audio | |'
        )


if __name__ == '__main__':
    main()
