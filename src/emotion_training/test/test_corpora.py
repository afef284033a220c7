"""Corpora as they lie on disk: labels, speakers, traps of the tables."""

import io
import tarfile
from collections import Counter

import numpy as np
import pytest
import soundfile

from emotion_core.emotions import EMOTIONS
from emotion_training import fer2013, speech_corpora
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


RAVDESS = {f'RAVDESS/Actor_02/03-01-{emotion}-01-01-01-02.flac': _flac() for emotion in ('02', '05', '07', '08')}


def test_ravdess_calm_is_neutral_and_disgust_is_left_out(tmp_path):
    _tar(tmp_path / 'RAVDESS.tar', RAVDESS)
    clips = speech_corpora.load_ravdess(tmp_path)
    assert [EMOTIONS[clip.label] for clip in clips] == ['neutral', 'angry', 'surprise']
    assert {(clip.speaker, clip.corpus) for clip in clips} == {('ravdess/02', 'ravdess')}


def test_folder_and_tar_give_the_same_clips(tmp_path):
    (tmp_path / 'a').mkdir()
    _tar(tmp_path / 'a' / 'RAVDESS.tar', RAVDESS)
    for name, data in RAVDESS.items():
        path = tmp_path / 'b' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert speech_corpora.load_ravdess(tmp_path / 'a') == speech_corpora.load_ravdess(tmp_path / 'b')


def test_nemo_speaker_is_read_without_the_blanks_of_the_table(tmp_path):
    table = 'file_id\temotion\tspeaker_id\nWR0_surprised_1.wav\tsurprised\t        WR0\n'
    _tar(tmp_path / 'nEMO.tar', {'nEMO/data.tsv': table.encode(), 'nEMO/samples/WR0_surprised_1.wav': _flac()})
    (clip,) = speech_corpora.load_nemo(tmp_path)
    assert (clip.speaker, EMOTIONS[clip.label]) == ('nemo/WR0', 'surprise')


def test_channels_are_averaged_and_another_rate_is_refused():
    assert speech_corpora.Clip('x', 0, 'ravdess/01', _flac(channels=2)).samples == pytest.approx(np.full(800, 0.25))
    with pytest.raises(TrainingError, match='has 48000 Hz: convert'):
        speech_corpora.Clip('x', 0, 'ravdess/01', _flac(48000)).samples


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
