"""Manifests: true counts, nobody on two sides, and nothing that is skipped without a word."""

import csv
import io
import subprocess
import sys
import tarfile
from collections import Counter
from dataclasses import replace

import av
import numpy as np
import pytest
import soundfile
from rich.console import Console

from emotion_core.emotions import EMOTIONS
from emotion_training import manifest_command, sound, speech_corpora
from emotion_training.corpus_source import CorpusSource
from emotion_training.errors import TrainingError
from emotion_training.manifest import Row, load_clips, read_manifest, split_hash, write_manifest
from emotion_training.splits import check_speakers, sides_by_share

EMODB = ('03a01Fa', '03a01Wa', '08a01Na', '08b02Tb', '09a01Ec', '09a02Lb', '10a01Ab')


def _sound(seconds: float = 0.5, rate: int = 16000) -> bytes:
    file = io.BytesIO()
    tone = 0.1 * np.sin(np.arange(int(seconds * rate)) / 20)
    soundfile.write(file, tone, rate, format='WAV')
    return file.getvalue()


def _video(path, seconds: float = 1.0) -> None:
    """Write an MP4 with AAC in two channels at another rate, as MELD has them, without a picture."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('aac', rate=44100, layout='stereo')
        tone = 0.2 * np.sin(np.arange(int(seconds * 44100)) / 30).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format='fltp', layout='stereo')
        frame.sample_rate = 44100
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


def _write(folder, files: dict[str, bytes]):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def _voices(folder, speakers: str = 'abcdef'):
    """Make a corpus of one's own: each speaker says each emotion once."""
    return _write(folder, {f'{emotion}/{who}/1.wav': _sound() for emotion in EMOTIONS for who in speakers})


def _run(*arguments) -> int:
    return manifest_command.main([str(argument) for argument in arguments])


@pytest.mark.parametrize(
    'corpus, where, files, speakers, clips',
    [
        ('ravdess', 'RAVDESS.tar', 1440, 24, 1248),
        ('nemo', 'nEMO.tar', 4481, 9, 4481),
        ('crema', 'metadata/crema-d', 7442, 91, 7442 - 1271),
        ('meld', 'metadata/meld', 13708, 304, 13708 - 361 - 75),
    ],
)
def test_true_counts_and_speakers_on_one_side(data, tmp_path, corpus, where, files, speakers, clips):
    found = speech_corpora.CORPORA[corpus]
    options = manifest_command.make_parser().parse_args([corpus, str(data / where)])
    listed = speech_corpora.survey(found, CorpusSource(data / where), manifest_command._side_of(found, options))
    assert (listed.files, listed.speakers, len(listed.rows)) == (files, speakers, clips)
    assert len(listed.rows) + listed.left_out.total() == files
    write_manifest(tmp_path / 'm.csv', listed.rows)
    rows = read_manifest(tmp_path / 'm.csv')
    assert tuple(rows) == listed.rows
    check_speakers((row.speaker, row.split) for row in rows)
    assert {row.split for row in rows} == {'train', 'validation', 'test'}


def test_meld_has_the_published_counts_of_each_table(data):
    meld = speech_corpora.MELD
    found = speech_corpora.survey(meld, CorpusSource(data / 'metadata/meld'), speech_corpora.agreed(meld))
    counts = Counter(row.path.split('/')[1] for row in found.rows)
    assert counts.total() + found.left_out.total() == 9989 + 1109 + 2610
    assert found.left_out['disgust'] == 271 + 22 + 68
    assert set(found.problems.values()) == {'missing'}
    assert len(found.problems) == 13708


def test_ravdess_manifest_of_the_real_files(data, tmp_path, capsys):
    assert _run('ravdess', data / 'RAVDESS.tar', '--out', tmp_path / 'r.csv') == 0
    printed = capsys.readouterr().out
    assert '1,440 files of 24 speakers' in printed
    rows = read_manifest(tmp_path / 'r.csv')
    assert Counter(row.original_label for row in rows)['calm'] == 192
    assert {row.label for row in rows if row.original_label == 'calm'} == {'neutral'}
    assert 'disgust' not in {row.original_label for row in rows}
    assert all(2 < row.duration < 6 for row in rows)
    clips = load_clips([tmp_path / 'r.csv'], data)
    assert len(clips[0].samples) / sound.SAMPLE_RATE == pytest.approx(clips[0].row.duration, abs=1e-3)


def test_missing_and_unreadable_files_are_listed(tmp_path, capsys):
    names = '\n'.join(f'{who}_DFA_{what}_XX.wav' for who in range(1001, 1008) for what in ('ANG', 'DIS', 'HAP'))
    good = _sound()
    _write(
        tmp_path / 'CREMA-D',
        {
            'AudioWAV_files.txt': names.encode(),
            **{f'AudioWAV/{name}': good for name in names.split() if name != '1002_DFA_HAP_XX.wav'},
            'AudioWAV/1003_DFA_ANG_XX.wav': b'version https://git-lfs.github.com/spec/v1\noid sha256:0',
            'AudioWAV/1004_DFA_ANG_XX.wav': good[:-100],
            'AudioWAV/1005_DFA_ANG_XX.wav': b'not sound',
            'AudioWAV/notes.wav': good,
        },
    )
    assert _run('crema', tmp_path / 'CREMA-D', '--out', tmp_path / 'crema.csv') == 0
    assert '5 files cannot be used' in capsys.readouterr().out
    with open(tmp_path / 'crema.problems.csv', newline='') as file:
        problems = dict(csv.reader(file))
    assert problems['CREMA-D/AudioWAV/1002_DFA_HAP_XX.wav'] == 'missing'
    assert 'git lfs pull' in problems['CREMA-D/AudioWAV/1003_DFA_ANG_XX.wav']
    assert 'cut off' in problems['CREMA-D/AudioWAV/1004_DFA_ANG_XX.wav']
    assert 'cannot be decoded' in problems['CREMA-D/AudioWAV/1005_DFA_ANG_XX.wav']
    assert 'not a name of CREMA-D' in problems['CREMA-D/AudioWAV/notes.wav']
    assert len(read_manifest(tmp_path / 'crema.csv')) == 7 * 2 - 4


def test_second_copies_of_crema_do_not_count_as_files(tmp_path):
    names = ['1001_DFA_ANG_XX', '1002_DFA_DIS_XX']
    kinds = ('AudioWAV/{}.wav', 'AudioMP3/{}.mp3', 'VideoFlash/{}.flv')
    _write(tmp_path / 'CREMA-D', {kind.format(name): b'x' for name in names for kind in kinds})
    corpus = speech_corpora.CORPORA['crema']
    found = speech_corpora.survey(corpus, CorpusSource(tmp_path / 'CREMA-D'), lambda who: dict.fromkeys(who, 'train'))
    assert (found.files, len(found.rows), found.left_out[speech_corpora.COPY]) == (2, 1, 4)


@pytest.mark.parametrize('suffix, subtype', [('OGG', 'OPUS'), ('OGG', 'VORBIS')])
def test_ogg_that_is_cut_off_is_told(suffix, subtype):
    file = io.BytesIO()
    soundfile.write(file, 0.1 * np.sin(np.arange(96000) / 20), 16000, format=suffix, subtype=subtype)
    whole = file.getvalue()
    assert len(sound.decode(whole, 'a.ogg')[0]) == pytest.approx(96000, rel=0.01)
    for cut in (whole[:-1], whole[: len(whole) // 2], whole[: whole.rfind(b'OggS')]):
        with pytest.raises(TrainingError, match='is cut off'):
            sound.decode(cut, 'a.ogg')


def test_matroska_that_is_cut_off_is_told(tmp_path):
    _video(tmp_path / 'a.mkv', 3.0)
    whole = (tmp_path / 'a.mkv').read_bytes()
    assert len(sound.load(whole, 'a.mkv')) == pytest.approx(48000, rel=0.02)
    with pytest.raises(TrainingError, match='is cut off'):
        sound.load(whole[: len(whole) // 2], 'a.mkv')


def test_samples_that_are_no_numbers_are_told():
    file = io.BytesIO()
    soundfile.write(file, np.array([0.1, np.nan, 0.2], np.float32), 16000, format='WAV', subtype='FLOAT')
    with pytest.raises(TrainingError, match='samples that are no numbers'):
        sound.decode(file.getvalue(), 'a.wav')


def test_what_is_too_short_or_of_another_format_is_listed(tmp_path):
    _write(_voices(tmp_path / 'mine'), {'sad/a/2.wav': _sound(0.0003), 'sad/a/3.AMR': b'#!AMR', 'sad/notes.txt': b''})
    assert _run('folder', tmp_path / 'mine', '--out', tmp_path / 'm.csv') == 0
    assert len(read_manifest(tmp_path / 'm.csv')) == 36
    with open(tmp_path / 'm.problems.csv', newline='') as file:
        problems = dict(csv.reader(file))
    assert problems['mine/sad/a/2.wav'].startswith('lasts 0.25 ms')
    assert problems['mine/sad/a/3.AMR'] == '.amr is not read: make it .wav or .flac'
    assert len(problems) == 3  # and the head


def test_problems_of_one_kind_are_one_line(tmp_path, capsys):
    pointer = b'version https://git-lfs.github.com/spec/v1\noid sha256:0'
    _write(_voices(tmp_path / 'mine'), {f'sad/a/{i}.wav': pointer for i in range(2, 40)})
    assert _run('folder', tmp_path / 'mine', '--out', tmp_path / 'm.csv') == 0
    printed = capsys.readouterr().out
    assert printed.count('Git LFS pointer') == 1
    assert "38 files, such as mine/sad/a/10.wav: '10.wav' is a Git LFS pointer" in printed


@pytest.mark.parametrize('out', ['no/such/folder/m.csv', '.'])
def test_manifest_that_cannot_be_written_is_told_before_files_are_read(tmp_path, monkeypatch, out):
    monkeypatch.setattr(manifest_command, 'survey', None)
    with pytest.raises(TrainingError, match='cannot be written: .*--out'):
        _run('folder', _voices(tmp_path / 'mine'), '--out', tmp_path / out)
    _voices(tmp_path / 'mine')
    manifest_command._check_writable(tmp_path / 'm.csv')
    assert not (tmp_path / 'm.csv').exists()


@pytest.mark.parametrize(
    'content, what',
    [
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:0', "'data.tsv' of nEMO is a Git LFS pointer"),
        (b'file_id\tspeaker\temotion\n', "'data.tsv' of nEMO has no column speaker_id"),
        ('file_id\tspeaker_id\temotion\tĺ\n'.encode('cp1250'), "'data.tsv' of nEMO is no text in UTF-8"),
        (b'file_id\tspeaker_id\temotion\nx', "line 2 of 'data.tsv' of nEMO is cut off"),
    ],
)
def test_table_that_cannot_be_used_is_told(tmp_path, content, what):
    with pytest.raises(TrainingError, match=what):
        _run('nemo', _write(tmp_path / 'nEMO', {'data.tsv': content}), '--out', tmp_path / 'n.csv')


def test_tar_that_is_cut_off_is_told(tmp_path):
    with tarfile.open(tmp_path / 'mine.tar', 'w') as tar:
        tar.add(_voices(tmp_path / 'mine'), 'mine')
    content = (tmp_path / 'mine.tar').read_bytes()
    (tmp_path / 'mine.tar').write_bytes(content[: len(content) // 2 + 100])
    with pytest.raises(TrainingError, match='is cut off or damaged .*get it again'):
        CorpusSource(tmp_path / 'mine.tar')


def test_meld_is_read_from_mp4_and_who_is_not_one_person_is_left_out(tmp_path):
    header = 'Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n'
    tables = {
        'train_sent_emo.csv': [('Joey', 'joy'), ('Ross', 'anger'), ('Ross and Joey', 'joy')],
        'dev_sent_emo.csv': [('Chandler', 'fear'), ('Monica', 'disgust')],
        'test_sent_emo.csv': [('Monica', 'sadness'), ('Joey', 'neutral')],
    }
    for table, folder in speech_corpora.MELD_TABLES.items():
        (tmp_path / 'MELD' / folder).mkdir(parents=True)
        rows = [f'{i},"Oh, no",{who},{what},x,0,{i}' for i, (who, what) in enumerate(tables[table])]
        (tmp_path / 'MELD' / table).write_text(header + '\n'.join(rows))
        for i in range(len(rows)):
            _video(tmp_path / 'MELD' / folder / f'dia0_utt{i}.mp4')
    assert _run('meld', tmp_path / 'MELD', '--out', tmp_path / 'meld.csv') == 0
    rows = read_manifest(tmp_path / 'meld.csv')
    assert {(row.speaker, row.label, row.split) for row in rows} == {
        ('meld/Joey', 'happy', 'train'),
        ('meld/Joey', 'neutral', 'train'),
        ('meld/Ross', 'angry', 'validation'),
        ('meld/Chandler', 'fear', 'test'),
        ('meld/Monica', 'sad', 'test'),
    }
    assert rows[0].duration == pytest.approx(1.0, abs=0.1)
    samples = load_clips([tmp_path / 'meld.csv'])[0].samples
    assert len(samples) / 16000 == pytest.approx(1.0, abs=0.1)
    assert 0.1 < np.abs(samples).max() < 0.3


def test_emodb_says_who_and_what_by_its_names(tmp_path, capsys):
    _write(tmp_path / 'emodb', {f'wav/{name}.wav': _sound() for name in EMODB})
    assert _run('emodb', tmp_path / 'emodb', '--out', tmp_path / 'e.csv', '--test', '08', '--validation', '10') == 0
    rows = read_manifest(tmp_path / 'e.csv')
    assert [(row.speaker, row.label, row.split) for row in rows] == [
        ('emodb/03', 'happy', 'train'),
        ('emodb/03', 'angry', 'train'),
        ('emodb/08', 'neutral', 'test'),
        ('emodb/08', 'sad', 'test'),
        ('emodb/10', 'fear', 'validation'),
    ]
    assert '528 of its 535 files are not there' in ' '.join(capsys.readouterr().out.split())


def test_speakers_agreed_on_stay_where_only_the_other_side_is_named():
    nemo = speech_corpora.NEMO
    options = manifest_command.make_parser().parse_args(['nemo', 'nEMO', '--test', 'KD0'])
    sides = manifest_command._side_of(nemo, options)({'EB0', 'KD0', 'TP0', 'WR0'})
    assert sides == {'EB0': 'train', 'KD0': 'test', 'TP0': 'validation', 'WR0': 'train'}


def test_folder_of_ones_own_with_other_words_and_speakers_in_the_names(tmp_path):
    files = {f'{word}/{who}_1.wav': _sound() for word in ('froh', 'wut', 'ekel', 'neutral') for who in 'abc'}
    _write(tmp_path / 'mine', files | {'froh/x.wav': _sound()})
    arguments = ['--speaker', '([a-c])_', '--label', 'froh=happy', 'wut=angry', 'ekel=', '--shares', '0.3', '0.3']
    assert _run('folder', tmp_path / 'mine', '--out', tmp_path / 'm.csv', *arguments) == 0
    rows = read_manifest(tmp_path / 'm.csv')
    assert Counter(row.label for row in rows) == {'happy': 3, 'angry': 3, 'neutral': 3}
    assert {row.speaker: row.split for row in rows}.keys() == {'mine/a', 'mine/b', 'mine/c'}
    assert sorted({row.speaker: row.split for row in rows}.values()) == ['test', 'train', 'validation']
    assert 'froh/x.wav' in (tmp_path / 'm.problems.csv').read_text()


def test_folders_of_speakers_around_those_of_the_labels(tmp_path):
    voices = {f'{who}/{label}/1.wav': _sound() for label in EMOTIONS for who in 'abcdef'}
    _write(tmp_path / 'mine', voices | {'joy/angry/1.wav': _sound()})
    assert _run('folder', tmp_path / 'mine', '--out', tmp_path / 'm.csv') == 0
    rows = read_manifest(tmp_path / 'm.csv')
    wanted = {(label, f'mine/{who}') for label in EMOTIONS for who in 'abcdef'}
    assert {(row.label, row.speaker) for row in rows} == wanted
    assert "both 'joy' and 'angry' name an emotion" in (tmp_path / 'm.problems.csv').read_text()


def test_label_that_nobody_knows_is_an_error_not_a_gap(tmp_path):
    _write(_voices(tmp_path / 'mine'), {'grumpy/a/1.wav': _sound()})
    with pytest.raises(TrainingError, match="label 'grumpy', .*--label grumpy=EMOTION"):
        _run('folder', tmp_path / 'mine', '--out', tmp_path / 'm.csv')


def test_too_few_speakers_to_split_are_an_error(tmp_path):
    with pytest.raises(TrainingError, match='2 speaker.s. are too few'):
        _run('folder', _voices(tmp_path / 'mine', 'ab'), '--out', tmp_path / 'm.csv')


def test_corpus_without_its_files_says_where_to_get_them(tmp_path):
    _write(
        tmp_path / 'CREMA-D', {'AudioWAV_files.txt': b'\n'.join(b'%d_DFA_ANG_XX.wav' % i for i in range(1001, 1010))}
    )
    with pytest.raises(TrainingError, match='none of the clips of CREMA-D .*git lfs pull.*--names-only'):
        _run('crema', tmp_path / 'CREMA-D', '--out', tmp_path / 'c.csv')
    assert not (tmp_path / 'c.csv').exists()
    assert _run('crema', tmp_path / 'CREMA-D', '--out', tmp_path / 'c.csv', '--names-only') == 0
    with pytest.raises(TrainingError, match='lists names only'):
        load_clips([tmp_path / 'c.csv'])


def test_speaker_who_is_on_two_sides_cannot_be_trained_on(tmp_path):
    _run('folder', _voices(tmp_path / 'mine'), '--out', tmp_path / 'm.csv')
    rows = read_manifest(tmp_path / 'm.csv')
    assert len(load_clips([tmp_path / 'm.csv'])) == 36
    first = next(i for i, row in enumerate(rows) if row.split == 'train')
    rows[first] = replace(rows[first], split='test')
    write_manifest(tmp_path / 'm.csv', rows)
    with pytest.raises(TrainingError, match=f"speaker '{rows[first].speaker}' would be heard for train and for test"):
        load_clips([tmp_path / 'm.csv'])


def test_drawn_speakers_are_the_same_each_time_and_others_with_another_seed():
    speakers = [f's{i}' for i in range(40)]
    sides = [
        sides_by_share(order, 0.2, 0.2, seed) for order, seed in ((speakers, 1), (speakers[::-1], 1), (speakers, 2))
    ]
    assert sides[0] == sides[1] != sides[2]
    assert Counter(sides[0].values()) == {'train': 24, 'validation': 8, 'test': 8}


def test_hash_tells_another_split_and_nothing_else():
    rows = [Row(f'c/{i}.wav', 'happy', f'c/{i}', 'c', 'train', 1.0, 'joy') for i in range(3)]
    assert split_hash(rows) == split_hash([replace(row, duration=2.0) for row in rows[::-1]])
    assert split_hash(rows) != split_hash([replace(rows[0], split='test'), *rows[1:]])


@pytest.mark.parametrize(
    'line, what',
    [
        ('c/1.wav,joy,c/1,c,train,1.0,joy', "line 2 has the label 'joy'"),
        ('c/1.wav,happy,c/1,c,dev,1.0,joy', "line 2 has the split 'dev'"),
        ('c/1.wav,happy,c/1,c,train,-1,joy', "line 2 has the duration '-1'"),
        ('c/1.wav,happy,,c,train,1.0,joy', 'line 2 has no path or no speaker'),
        ('c/1.wav,happy', 'line 2 does not have 7 columns'),
    ],
)
def test_line_that_is_wrong_is_named(tmp_path, line, what):
    (tmp_path / 'm.csv').write_text(f'path,label,speaker,corpus,split,duration,original_label\n{line}\n')
    with pytest.raises(TrainingError, match=what):
        read_manifest(tmp_path / 'm.csv')


def test_command_tells_a_missing_corpus_in_one_line(tmp_path):
    command = [sys.executable, '-m', 'emotion_bringup.cli', 'manifest', 'ravdess', str(tmp_path / 'no')]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == f"emotion: '{tmp_path / 'no'}' is not there: name the folder or the tar file of a corpus\n"


def test_imbalance_is_printed(capsys):
    rows = [
        Row(f'c/{i}.wav', label, 'c/a', 'c', 'train', 60.0, label) for i, label in enumerate(['sad'] * 3 + ['fear'])
    ]
    manifest_command.show_rows(rows, Console(width=100))
    printed = capsys.readouterr().out
    assert '75.0%' in printed and '3.0' in printed and '4.0' in printed
    assert 'Not in it: angry, happy, neutral, surprise' in printed


def test_folder_whose_paths_name_no_speaker_says_so(tmp_path):
    _write(tmp_path / 'mine', {f'{emotion}/{number}.wav': _sound() for emotion in EMOTIONS for number in range(2)})
    with pytest.raises(TrainingError, match='no speaker.*and 11 more files cannot be used; no clip is left'):
        _run('folder', tmp_path / 'mine', '--out', tmp_path / 'm.csv')


def test_label_that_is_to_become_no_emotion_is_told_at_once(tmp_path):
    with pytest.raises(TrainingError, match="--label wuetend=wut: 'wut' is none of angry.*wuetend= leaves it out"):
        _run('folder', _voices(tmp_path / 'mine'), '--label', 'wuetend=wut', '--out', tmp_path / 'm.csv')


def test_empty_sound_is_told():
    with pytest.raises(TrainingError, match="'a.wav' is empty"):
        sound.decode(b'', 'a.wav')
