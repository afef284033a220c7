"""From a speech segment to the input of a SER model; training and the node share it."""

import numpy as np

from emotion_core.model_card import AudioInput

TARGET_RMS = 0.05  # linear level, about -26 dBFS, that every segment is brought to
SILENT_RMS = 1e-5  # linear level below which a segment is left as it is


def to_batch(segment: np.ndarray, spec: AudioInput) -> np.ndarray:
    """
    Cut or pad a segment to what the model takes and bring it to one level.

    :param segment: Mono float samples in [-1, 1] at ``spec.sample_rate``.
    :return: float32 of shape (1, samples).
    """
    segment = np.asarray(segment, np.float32)[-int(spec.max_seconds * spec.sample_rate) :]
    segment = segment - (segment.mean() if len(segment) else 0)
    rms = float(np.sqrt(np.mean(segment**2))) if len(segment) else 0.0
    if rms > SILENT_RMS:
        segment = segment * np.float32(TARGET_RMS / rms)
    missing = int(spec.min_seconds * spec.sample_rate) - len(segment)
    return np.pad(segment, (0, max(missing, 0)))[np.newaxis]
