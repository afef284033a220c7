"""
Fit what tells the voice of somebody else from the one that was heard before, by the mean spectrum of utterances.

Two-covariance model (the simplest form of PLDA): utterances of one voice scatter around its mean, and the means of
voices scatter around that of the corpus, both normally. What is loud and what is low in pitch differs from voice to
voice, and with the emotion too; the directions in which voices differ most, beside how much one voice varies, count.
"""

from typing import NamedTuple

import numpy as np

CEPSTRA = 24  # of the log-mel means that are looked at, without the level: detail beyond them is of the words
DIRECTIONS = 6  # in which voices differ most; with more the few voices to learn from are fitted too closely
SHRINK = 0.1  # of the covariance between voices, towards its diagonal: it is of few voices
STEADY_S = 1.9  # shorter utterances scatter more, in inverse proportion to their length
FALSE_ALARMS = 0.03  # share of utterances of the same voice that may be taken for another's
HEARD = (2, 5, 15)  # utterances behind the reference, in the trials that the threshold is fitted to
TRIALS = 40  # of each kind for each speaker and number heard


class VoiceChangeFit(NamedTuple):
    """Directions in the mean of log-mel bands along which a voice varies by 1, and voices by ``spread``."""

    directions: np.ndarray  # (bands, DIRECTIONS)
    spread: np.ndarray  # (DIRECTIONS,) variance of the means of voices
    threshold: float = 0.0  # log-odds over which the voice is taken for another's

    def log_odds(
        self, spectra: np.ndarray, reference: np.ndarray, heard: np.ndarray, seconds: np.ndarray
    ) -> np.ndarray:
        """
        Give how much likelier, in log-odds over the threshold, another voice is.

        :param spectra: (n, bands) means of the utterances.
        :param reference: (n, bands) means of those that were heard before.
        :param heard: (n,) how many these were, at least 1.
        :param seconds: (n,) length of the utterances.
        """
        distance = np.square((spectra - reference) @ self.directions)
        same = (np.maximum(1, STEADY_S / seconds) + 1 / heard)[:, None]
        other = same + 2 * self.spread
        return 0.5 * (distance * (1 / same - 1 / other) - np.log(other / same)).sum(axis=1) - self.threshold


def fit_voice_change(
    spectra: np.ndarray, seconds: np.ndarray, speakers: np.ndarray, corpora: np.ndarray
) -> VoiceChangeFit:
    """
    Fit the directions to all speakers, and the threshold to trials with each speaker by a fit to the others.

    :param spectra: (n, bands) means of the utterances, see ``networks.band_moments``.
    :param seconds: (n,) their length.
    :param speakers: (n,) who says them.
    :param corpora: (n,) where they are from; voices are compared within a corpus, for a microphone is no voice.
    """
    rng = np.random.default_rng(0)
    scores = []
    for speaker in np.unique(speakers):
        rows = speakers == speaker
        fit = _fit(spectra[~rows], speakers[~rows], corpora[~rows])
        mine = np.flatnonzero(rows)
        for heard in HEARD:
            for _ in range(TRIALS):
                row, *before = rng.permutation(mine)[: heard + 1]
                reference = spectra[before].mean(axis=0)
                scores.append(fit.log_odds(spectra[[row]], reference, np.array([heard]), seconds[[row]])[0])
    return _fit(spectra, speakers, corpora)._replace(threshold=float(np.quantile(scores, 1 - FALSE_ALARMS)))


def _fit(spectra: np.ndarray, speakers: np.ndarray, corpora: np.ndarray) -> VoiceChangeFit:
    bands = spectra.shape[1]
    # Without the first coefficient, which is the level.
    cosines = np.cos(np.pi / bands * np.outer(np.arange(bands) + 0.5, np.arange(1, CEPSTRA))) / bands
    cepstra = spectra @ cosines
    names, first = np.unique(speakers, return_index=True)
    means = np.array([cepstra[speakers == name].mean(axis=0) for name in names])
    within = np.mean([np.cov(cepstra[speakers == name].T, bias=True) for name in names], axis=0)
    corpus = corpora[first]
    centred = means - np.array([means[corpus == name].mean(axis=0) for name in corpus])
    between = centred.T @ centred / max(len(names) - len(np.unique(corpus)), 1)
    between = (1 - SHRINK) * between + SHRINK * np.diag(np.diag(between))
    # Scaled so that the scatter of a voice is 1 in every direction, then turned to the axes of that between voices.
    variance, axes = np.linalg.eigh(within + 1e-3 * np.diag(np.diag(within)))
    whiten = axes / np.sqrt(variance)
    spread, turn = np.linalg.eigh(whiten.T @ between @ whiten)
    best = np.argsort(spread)[::-1][:DIRECTIONS]
    return VoiceChangeFit((cosines @ whiten @ turn)[:, best], spread[best])
