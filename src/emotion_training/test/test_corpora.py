"""Corpora as they lie on disk: labels, speakers, traps of the tables."""

import io
import tarfile
from collections import Counter

import numpy as np
import pytest
import soundfile

from emotion_core.emotions import EMOTIONS
from emotion_training import fer2013, sound, speech_corpora
from emotion_training.errors import TrainingError


def _flac(rate: int = 16000, channels: int = 1) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.full((800, channels), 0.25), rate, format='FLAC')
    return file.getvalue()


def _tar(path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, 'w') as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


RAVDESS = {
    f'RAVDESS/Actor_{actor:02d}/03-01-{emotion}-{intensity}-{statement}-{take}-{actor:02d}.flac': _flac()
    for actor in range(1, 25)
    for emotion in speech_corpora.RAVDESS_EMOTIONS
    for intensity in ('01', '02')
    for statement in ('01', '02')
    for take in ('01', '02')
    if (emotion, intensity) != ('01', '02')
}
NEMO = {f'nEMO/samples/{speaker}_surprised_1.wav': _flac() for speaker in ('KD0', 'MK0', 'TP0', 'WR0')}
NEMO_TABLE = 'file_id\temotion\tspeaker_id\n' + ''.join(
    f'{speaker}_surprised_1.wav\tsurprised\t        {speaker}\n' for speaker in ('KD0', 'MK0', 'TP0', 'WR0')
)


def test_ravdess_calm_is_neutral_and_disgust_is_left_out(tmp_path):
    _tar(tmp_path / 'RAVDESS.tar', RAVDESS)
    clips = speech_corpora.load_ravdess(tmp_path)
    assert len(clips) == 1248
    labels = {clip.path.split('-')[2]: EMOTIONS[clip.label] for clip in clips}
    assert labels == {
        '01': 'neutral',
        '02': 'neutral',
        '03': 'happy',
        '04': 'sad',
        '05': 'angry',
        '06': 'fear',
        '08': 'surprise',
    }
    assert {clip.corpus for clip in clips} == {'ravdess'}
    assert {clip.speaker for clip in clips} == {f'ravdess/{actor:02d}' for actor in range(1, 25)}


def test_ravdess_that_is_not_complete_names_what_is_missing(tmp_path):
    members = dict(RAVDESS)
    members.pop('RAVDESS/Actor_07/03-01-05-01-01-01-07.flac')
    _tar(tmp_path / 'RAVDESS.tar', members)
    with pytest.raises(TrainingError, match=r"1 files .*'RAVDESS/Actor_07/03-01-05-01-01-01-07.flac' \(missing\)"):
        speech_corpora.load_ravdess(tmp_path)


def test_folder_and_tar_give_the_same_clips(tmp_path):
    (tmp_path / 'a').mkdir()
    members = NEMO | {'nEMO/data.tsv': NEMO_TABLE.encode(), 'nEMO/samples/._KD0_surprised_1.wav': b'of macOS'}
    _tar(tmp_path / 'a' / 'nEMO.tar', members)
    for name, data in members.items():
        path = tmp_path / 'b' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert speech_corpora.load_nemo(tmp_path / 'a') == speech_corpora.load_nemo(tmp_path / 'b')
    for folder in ('a', 'b'):
        assert speech_corpora.load_nemo(tmp_path / folder)[0].samples == pytest.approx(np.full(800, 0.25))


def test_nemo_speaker_is_read_without_the_blanks_of_the_table(tmp_path):
    _tar(tmp_path / 'nEMO.tar', NEMO | {'nEMO/data.tsv': NEMO_TABLE.encode()})
    clips = speech_corpora.load_nemo(tmp_path)
    assert {(clip.speaker, EMOTIONS[clip.label]) for clip in clips} == {
        (f'nemo/{speaker}', 'surprise') for speaker in ('KD0', 'MK0', 'TP0', 'WR0')
    }


def test_channels_are_averaged_and_another_rate_is_converted():
    assert sound.load(_flac(channels=2), 'x.flac') == pytest.approx(np.full(800, 0.25))
    assert len(sound.load(_flac(48000), 'x.flac')) == pytest.approx(800 / 3, abs=1)


@pytest.mark.parametrize(
    'load, what',
    [(fer2013.load, 'FER2013'), (speech_corpora.load_ravdess, 'RAVDESS'), (speech_corpora.load_nemo, 'nEMO')],
)
def test_missing_corpus_is_named_with_where_to_get_it(tmp_path, load, what):
    with pytest.raises(TrainingError, match=f'needs .*{what}.*--data'):
        load(tmp_path)


def test_counts_of_the_real_corpora(data):
    ravdess, nemo = speech_corpora.load_ravdess(data), speech_corpora.load_nemo(data)
    assert Counter(EMOTIONS[clip.label] for clip in ravdess) == {
        'angry': 192,
        'fear': 192,
        'happy': 192,
        'neutral': 288,
        'sad': 192,
        'surprise': 192,
    }
    assert Counter(EMOTIONS[clip.label] for clip in nemo) == {
        'angry': 749,
        'fear': 736,
        'happy': 749,
        'neutral': 809,
        'sad': 769,
        'surprise': 669,
    }
    assert Counter(clip.speaker for clip in nemo)['nemo/MP0'] == 256
