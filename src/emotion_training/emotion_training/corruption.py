"""Faces and voices made worse on purpose, each in one named way, to learn and to test what quality tells."""

from collections.abc import Sequence

import cv2
import numpy as np

from emotion_training.speech_augmentation import active_part, add_at_snr, babble

FACE_KINDS = ('clean', 'blur', 'dark', 'bright', 'noise', 'far', 'covered', 'turned')
SPEECH_KINDS = ('clean', 'white_noise', 'babble', 'clipped', 'short', 'quiet', 'silent')
SNR_DB = (20.0, -5.0)  # at severity 0 and 1
TURN_DEG = (15, 60)  # the same
HEAD = 0.62  # radius of a head, relative to the side of its crop


def corrupt_face(face: np.ndarray, kind: str, severity: float, rng: np.random.Generator) -> np.ndarray:
    """
    Make a face crop worse.

    :param face: uint8 (size, size) gray.
    :param kind: One of FACE_KINDS.
    :param severity: 0 hardly visible to 1 hopeless.
    :return: uint8 (size, size); smaller for 'far', as a detector would cut it out.
    """
    size = len(face)
    if kind == 'clean':
        return face
    if kind == 'blur':
        return cv2.GaussianBlur(face, (0, 0), 0.5 + 3.5 * severity)
    if kind == 'far':
        return cv2.resize(face, (round(size * (0.8 - 0.65 * severity)),) * 2, interpolation=cv2.INTER_AREA)
    if kind == 'turned':
        return _turn(face, np.radians(TURN_DEG[0] + (TURN_DEG[1] - TURN_DEG[0]) * severity) * rng.choice((-1, 1)))
    pixels = face.astype(np.float64)
    if kind == 'dark':  # with the noise of a sensor that sees little
        pixels = pixels * (0.6 - 0.57 * severity) + rng.normal(0, 2, face.shape)
    elif kind == 'bright':
        pixels = pixels * (1.2 + 2 * severity) + 60 * severity
    elif kind == 'noise':
        pixels = pixels + rng.normal(0, 5 + 60 * severity, face.shape)
    elif kind == 'covered':  # by a hand, a mask, hair: a band from one side
        depth = round(size * (0.15 + 0.5 * severity))
        from_side = (pixels, pixels[::-1], pixels.T, pixels.T[::-1])[rng.integers(4)]  # views of the same pixels
        from_side[:depth] = rng.integers(30, 220) + rng.normal(0, 4, (depth, size))
    else:
        raise ValueError(f"'{kind}' is not one of {', '.join(FACE_KINDS)}")
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _turn(face: np.ndarray, angle: float) -> np.ndarray:
    """Turn a head by an angle [rad], as if the face were painted on a cylinder; it has no other side."""
    size = len(face)
    radius = HEAD * size
    seen = np.arcsin(np.clip((np.arange(size) + 0.5 - size / 2) / radius, -1, 1))  # where on the cylinder
    column = radius * np.sin(np.clip(seen - angle, -np.pi / 2, np.pi / 2)) + size / 2 - 0.5
    columns, rows = np.meshgrid(column.astype(np.float32), np.arange(size, dtype=np.float32))
    return cv2.remap(face, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def corrupt_speech(
    samples: np.ndarray, kind: str, severity: float, rng: np.random.Generator, voices: Sequence[np.ndarray]
) -> np.ndarray:
    """
    Make an utterance worse.

    :param samples: Mono float32 in [-1, 1] at 16 kHz.
    :param kind: One of SPEECH_KINDS.
    :param severity: 0 hardly audible to 1 hopeless.
    :param voices: Other utterances, for the babble.
    :return: float32, as long as before; shorter for 'short'.
    """
    snr_db = SNR_DB[0] + (SNR_DB[1] - SNR_DB[0]) * severity
    if kind == 'clean':
        return samples
    if kind == 'white_noise':
        return add_at_snr(samples, rng.standard_normal(len(samples)).astype(np.float32), snr_db)
    if kind == 'babble':
        chosen = [voices[i] for i in rng.integers(len(voices), size=4)]
        chosen = [voice[slice(*active_part(voice))] for voice in chosen]  # people in the background take no turns
        return add_at_snr(samples, babble(len(samples), chosen, rng), snr_db)
    if kind == 'clipped':  # driven into full scale
        peak = np.abs(samples).max() * (0.6 - 0.58 * severity)
        return np.clip(samples / max(peak, 1e-6), -1, 1)
    if kind == 'short':  # a part of what was said, with the same background around it
        first, last = active_part(samples)
        keep = int((last - first) * (0.8 - 0.65 * severity))
        start = first + rng.integers(last - first - keep + 1)
        return np.concatenate([samples[:first], samples[start : start + keep], samples[last:]])
    if kind == 'quiet':  # and so near the 16-bit steps and the hiss of the microphone
        peak = np.abs(samples).max()
        quiet = samples / max(peak, 1e-6) * 10 ** (-(20 + 35 * severity) / 20)
        return np.round((quiet + rng.normal(0, 2e-4, len(samples))) * 32768).astype(np.float32) / np.float32(32768)
    if kind == 'silent':  # what was taken for a voice is the room
        return rng.normal(0, 10 ** ((-75 + 35 * severity) / 20), len(samples)).astype(np.float32)
    raise ValueError(f"'{kind}' is not one of {', '.join(SPEECH_KINDS)}")
