"""Quality terms of a speech segment, from its samples alone, so that training and the node see the same numbers."""

import math

import numpy as np

FRAME_S = 0.02  # of the levels; short enough to see the pauses between words
WINDOW_S = 0.04  # of the periodicity; two periods of a 50 Hz voice
PITCH_HZ = (70.0, 400.0)  # of adult and child voices
FLOOR_DBFS = -90.0  # what counts as digital silence; 16-bit rounding lies at -98 dBFS
SNR_DB = (0.0, 60.0)  # what can be told from the segment alone
QUIET_SHARE = 0.1  # of the frames is background: pre-roll, hang-over and pauses
ACTIVE_OVER_NOISE_DB = 4.0  # a frame this far over the background is active
ACTIVE_UNDER_LOUD_DB = 30.0  # and one this far under the loud frames is not
BREVITY_S = 0.3  # after which brevity has fallen to 1 / e; of some lengths one of those that tell most
AROUND_S = 0.4  # of background that the segmenter leaves around a voice
CLIPPED = 0.985  # of the largest sample, or of full scale where resampling overshot it

TERMS = ('snr_db', 'noise', 'level_dbfs', 'clipping', 'seconds', 'brevity', 'voice_confidence')
# The words for a low and for a high value of a term; '' where that is no fault.
PHRASES = {
    'noise': ('', '{snr_db:.0f} dB over the background'),
    'level_dbfs': ('quiet', 'loud'),
    'clipping': ('', 'clipped'),
    'brevity': ('', '{seconds:.1f} s of voice'),
    'voice_confidence': ('hardly a voice', ''),
    'speaker_known': ('new voice', ''),
}


def to_dbfs(power: np.ndarray | float) -> np.ndarray | float:
    """Give mean squares of samples in [-1, 1] in dB relative to full scale, at least FLOOR_DBFS."""
    return 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DBFS / 10)))


def segment_quality(samples: np.ndarray, rate: int) -> dict[str, float]:
    """
    Measure how well a segment can be heard.

    :param samples: Mono float samples in [-1, 1], with some background before or after the speech.
    :param rate: [Hz].
    :return: TERMS, all finite:
        ``snr_db``: speech over background [dB], in SNR_DB; the lowest when nothing stands out;
        ``noise``: share of the background in the power of the active frames, [0, 1]: 0.01 at 20 dB, 0.5 at 0 dB; 1
        when nothing stands out;
        ``level_dbfs``: RMS of the active frames, or of all [dB relative to full scale], [FLOOR_DBFS, ~0];
        ``clipping``: share of samples at the largest value, [0, 1]; over 0.001 it can be heard;
        ``seconds``: length of the active frames together [s];
        ``brevity``: exp(-s / BREVITY_S) of a segment that is s longer than AROUND_S, [0, 1], which is what fits use:
        more voice helps at first, and what noise hides of it they see in ``noise``;
        ``voice_confidence``: mean periodicity of the active frames at the pitch of a voice, [0, 1]: about 0.1 for
        white noise, 0.6 for clean speech.
    """
    samples = np.asarray(samples, np.float32)
    frame = max(int(FRAME_S * rate), 1)
    if len(samples) < frame:
        return _nothing(FLOOR_DBFS, clipping=0.0, brevity=1.0)
    clipping, brevity = _clipping(samples), math.exp(-max(len(samples) / rate - AROUND_S, 0) / BREVITY_S)
    samples = samples - samples.mean()  # the offset of a microphone is not heard
    power = np.square(samples[: len(samples) // frame * frame].reshape(-1, frame), dtype=np.float64).mean(axis=1)
    level = to_dbfs(power)
    quietest = np.sort(power)[: max(int(QUIET_SHARE * len(power)), 1)]
    noise = max(float(quietest.mean()), 10 ** (FLOOR_DBFS / 10))
    active = (level > to_dbfs(noise) + ACTIVE_OVER_NOISE_DB) & (level > np.percentile(level, 95) - ACTIVE_UNDER_LOUD_DB)
    if not active.any():
        return _nothing(float(to_dbfs(power.mean())), clipping, brevity)
    signal = float(power[active].mean())
    return {
        'snr_db': float(np.clip(10 * np.log10((signal - noise) / noise), *SNR_DB)),
        'noise': min(noise / signal, 1.0),
        'level_dbfs': float(to_dbfs(signal)),
        'clipping': clipping,
        'seconds': float(active.sum() * frame / rate),
        'brevity': brevity,
        'voice_confidence': _periodicity(samples, rate, active, frame),
    }


def _nothing(level_dbfs: float, clipping: float, brevity: float) -> dict[str, float]:
    """Give the terms of a segment in which nothing stands out."""
    told = {'noise': 1.0, 'level_dbfs': level_dbfs, 'clipping': clipping, 'brevity': brevity}
    return dict.fromkeys(TERMS, 0.0) | told


def _clipping(samples: np.ndarray) -> float:
    magnitude = np.abs(samples)
    peak = min(float(magnitude.max()), 1.0)
    return float((magnitude >= CLIPPED * peak).mean()) if peak > 0 else 0.0


def _periodicity(samples: np.ndarray, rate: int, active: np.ndarray, frame: int) -> float:
    """Give the mean over active frames of the largest normalised autocorrelation at a lag of a voice's pitch."""
    window = int(WINDOW_S * rate)
    shortest, longest = int(rate / PITCH_HZ[1]), int(rate / PITCH_HZ[0])
    padded = np.pad(samples, (0, window))
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)[::frame][: len(active)][active]
    windows = windows - windows.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(windows, 1 << (window + longest).bit_length())
    correlation = np.fft.irfft(np.square(np.abs(spectrum)))[:, : longest + 1]
    overlap = window / (window - np.arange(shortest, longest + 1))  # of a window with its shifted self
    energy = np.maximum(correlation[:, :1], 1e-12)
    strongest = (correlation[:, shortest:] / energy * overlap).max(axis=1)
    return float(np.clip(strongest, 0, 1).mean())
