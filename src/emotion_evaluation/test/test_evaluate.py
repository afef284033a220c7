"""The command on real bags, with the demo's face and voices."""

import csv
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from io import StringIO

import cv2
import numpy as np
import pytest
import soundfile
from bags import MS, SCENES, START_NS, STRING, write_strings
from rich.console import Console
from rich.table import Table
from rosbags import typesys
from rosbags.interfaces import QosDurability
from rosbags.rosbag2 import StoragePlugin, Writer

from emotion_core.emotions import EMOTIONS
from emotion_drivers.scenario import ASSETS
from emotion_evaluation import compare, dataset_run, datasets, evaluate, scenario_bag
from emotion_evaluation.bag import Bag
from emotion_evaluation.bag_writer import BagWriter
from emotion_evaluation.cli import TAKES, main, make_parser
from emotion_evaluation.datasets import Item
from emotion_evaluation.definitions import installed_types
from emotion_evaluation.errors import BagError, LabelError
from emotion_evaluation.evaluate import Job, evaluate_bag, read_truth, summarise
from emotion_evaluation.offline import Setup, run_bag
from emotion_evaluation.printing import show
from emotion_evaluation.topics import AUDIO, COMPRESSED, IMAGE, OUTPUTS, PROBS, Topics, find_topics
from emotion_speech.parameters import SpeechParameters


@pytest.fixture(scope='module')
def scene(tmp_path_factory):
    """A bag of 8 s."""
    folder = tmp_path_factory.mktemp('bags') / 'scene'
    scenario_bag.make(folder, scenes=SCENES)
    return folder


@pytest.fixture(scope='module')
def result(scene):
    return evaluate_bag(Job(scene))


def test_scene_is_seen_and_heard(result):
    entry, rows = result.entry, result.entry['against_truth']['rows']
    assert result.error == '' and entry['frames'] == 120 and 'problems' not in entry
    assert 0.45 < entry['with_face'] < 0.65  # she is there for 4.5 of 8 s
    assert entry['utterances'] >= 2 and entry['against_truth']['utterances']['n'] >= 2  # pauses part an utterance
    assert rows['face']['coverage'] < rows['fused']['coverage']  # the second voice has no face
    assert set(rows) == {'face', 'speech', 'fused', 'label'}
    assert rows['face']['majority']['label'] == 'happy' and rows['face']['chance']['accuracy'] > 0


def test_scenario_is_recorded_by_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scenario_bag, 'SCENES', [replace(SCENES[0], seconds=1.0)])  # the whole takes half a minute
    folder = tmp_path / 'bag'
    assert main('record', ['--scenario', '--storage', 'sqlite3', '-o', str(folder)]) == 0
    assert f"'{folder}' holds 1 s; next: `./emotion evaluate {folder}`\n" in capsys.readouterr().err
    assert (folder / 'bag.db3').is_file()
    with Bag(folder) as bag:
        counts = [bag.topics[name].count for name in ('/image_raw/compressed', '/audio_stamped', '/audio_info')]
        truth = [bag.deserialize(record) for record in bag.read(['/emotion/ground_truth'])]
    assert counts == [15, 20, 1] and [(mark.subject_id, mark.label) for mark in truth] == [('a', 'happy'), ('a', '')]


def test_replay_of_a_scene_from_the_middle_begins_with_the_label_that_holds(scene):
    with Bag(scene) as bag:
        latched = {
            info.name
            for info in bag.topics.values()
            if any(profile.durability == QosDurability.TRANSIENT_LOCAL for profile in info.qos)
        }
    assert latched == {'/audio_info', '/emotion/ground_truth'}


def test_two_runs_give_the_same_bytes_whatever_the_number_of_threads(scene, result):
    again = evaluate_bag(Job(scene, threads=1))
    one, two = (json.dumps(summarise([item], 'x')) for item in (result, again))
    assert one == two


def test_bags_of_the_same_name_are_two(scene, result):
    copy = scene.parent / 'elsewhere' / scene.name
    shutil.copytree(scene, copy)
    once, twice = (
        summarise(items, 'x')['all']['against_truth']['intervals']
        for items in ([result], [result, evaluate_bag(Job(copy))])
    )
    assert twice == 2 * once > 0


def test_a_voice_is_compared_with_what_it_said_before_only_as_the_parameters_say(scene):
    with Bag(scene) as bag:
        heard = Topics(audio=find_topics(bag).audio)
    one, other = (run_bag(scene, heard, Setup(speech=SpeechParameters(adapt=adapt))).speech for adapt in (True, False))
    assert len(one) == len(other) >= 2
    assert any((a.probabilities != b.probabilities).any() for (_, a), (_, b) in zip(one, other))


def test_bags_that_cannot_be_used_do_not_keep_the_others_from_it(scene, tmp_path):
    bags = tmp_path / 'bags'
    shutil.copytree(scene, bags / 'good')
    shutil.copytree(scene, bags / 'cut_off')
    cut = bags / 'cut_off' / 'scene.mcap'
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    write_strings(bags / 'words')
    (bags / 'empty').mkdir()
    (bags / 'empty' / 'metadata.yaml').write_text('')
    out = tmp_path / 'out'
    # In a process of its own: the pool's resource tracker lives as long as the process that made it.
    command = 'import sys; from emotion_evaluation.cli import main; sys.exit(main("evaluate", sys.argv[1:]))'
    arguments = [str(bags), '--out', str(out), '--jobs', '1']
    done = subprocess.run([sys.executable, '-c', command, *arguments], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    table = json.loads((out / 'metrics.json').read_text())
    found = {entry['bag'].rsplit('/')[-1]: entry for entry in table['bags']}
    assert found['good']['frames'] == 120 and 'error' not in found['good']
    assert 20 < found['cut_off']['frames'] < 100 and 'breaks off at byte' in found['cut_off']['notice']
    assert '/words (std_msgs/msg/String)' in found['words']['error']
    assert 'cannot be read as a bag' in found['empty']['error']
    assert (table['all']['bags'], table['all']['failed']) == (2, 2)
    assert 'neither images nor sound' in done.stdout.replace('\n', ' ')
    page = (out / 'report.html').read_text()
    assert page.count('Not evaluated:') == 2 and 'breaks off at byte' in page


def test_figures_stay_when_nothing_could_be_evaluated(tmp_path, capsys):
    write_strings(tmp_path / 'words')
    out = tmp_path / 'out'
    out.mkdir()
    for name in ('metrics.json', 'report.html'):
        (out / name).write_text('of before')
    assert main('evaluate', [str(tmp_path / 'words'), '--out', str(out), '--jobs', '1']) == 1
    assert {file.read_text() for file in out.iterdir()} == {'of before'}
    assert 'nothing could be evaluated' in capsys.readouterr().out


def test_page_has_every_bag_and_figure_and_comparison_fails_on_what_got_worse(scene, tmp_path, capsys):
    labels = tmp_path / 'labels.csv'
    with open(labels, 'w', newline='') as file:
        csv.writer(file).writerows(
            [('start', 'end', 'subject', 'label'), (0, 4.5, '', 'happy'), (4.5, 8, '', 'surprise')]
        )
    out = tmp_path / 'out'
    arguments = [str(scene), '--out', str(out), '--labels', str(labels)]
    assert main('evaluate', arguments) == 0
    page = (out / 'report.html').read_text()
    assert 'Against ground truth' in page and page.count('<svg') == 5 and '{{' not in page
    old = json.loads((out / 'metrics.json').read_text())
    assert old['made']['models'].keys() == {'face', 'speech'} and len(old['bags'][0]['sha256']) == 64
    old['all']['against_truth']['rows']['face']['accuracy'] += 0.1
    old['all']['with_face'] -= 0.3
    (tmp_path / 'old.json').write_text(json.dumps(old))
    assert main('evaluate', [*arguments, '--compare', str(tmp_path / 'old.json')]) == 3
    said = capsys.readouterr().out
    assert 'PAST THE THRESHOLD' in said and 'with face' in said
    assert 'past the threshold' in (out / 'report.html').read_text() and 'other bags' not in said
    del old['all']['against_truth'], old['bags'][0]['sha256']
    (tmp_path / 'old.json').write_text(json.dumps(old))
    assert main('evaluate', [*arguments, '--compare', str(tmp_path / 'old.json')]) == 0
    said = capsys.readouterr().out
    assert 'not there before: face accuracy, face macro f1, face coverage and ' in said and 'None' not in said
    assert 'is of other bags' in said and 'Not there before: face accuracy' in (out / 'report.html').read_text()


def write_foreign(folder, images=4, encoding='rgb8', coding='wave'):
    """A raw camera and float sound under other names, with bytes that are no message among them."""
    kinds = {
        '/cam/color/image': IMAGE,
        '/mic/sound': 'audio_common_msgs/msg/AudioData',
        '/mic/info': 'audio_common_msgs/msg/AudioInfo',
    }
    types = installed_types(kinds.values())
    made = types.types
    writer = BagWriter(folder, types=types)
    for name, kind in kinds.items():
        writer.add_topic(name, kind)

    def put(name, stamp, message):
        writer.write(name, stamp, bytes(types.serialize_cdr(message, kinds[name])))

    if coding:
        put('/mic/info', START_NS, made['audio_common_msgs/msg/AudioInfo'](1, 16000, 'F32LE', 512000, coding))
    samples, rate = soundfile.read(ASSETS / 'glad.ogg', dtype='float32')
    samples = np.concatenate([samples[:: rate // 16000], np.zeros(16000, np.float32)])
    for number in range(len(samples) // 800):
        block = samples[800 * number : 800 * number + 800].view(np.uint8)
        put('/mic/sound', START_NS + 50 * MS * (number + 1), made['audio_common_msgs/msg/AudioData'](block))
    face = cv2.resize(cv2.imread(str(ASSETS / 'portrait.jpg')), None, fx=0.7, fy=0.7)
    for number in range(images):
        stamp = made['builtin_interfaces/msg/Time'](*divmod(START_NS + 100 * MS * number, 1_000_000_000))
        header = made['std_msgs/msg/Header'](stamp, 'cam')
        height, width = face.shape[:2]
        image = made[IMAGE](header, height, width, encoding, 0, 3 * width, face[..., ::-1].ravel())
        put('/cam/color/image', START_NS + 100 * MS * number, image)
    writer.write('/cam/color/image', START_NS + 100 * MS * images, b'\0\1\0\0 no image')
    writer.close()


def test_bag_from_elsewhere_is_understood_by_its_types(tmp_path):
    write_foreign(tmp_path / 'foreign')
    result = evaluate_bag(Job(tmp_path / 'foreign'))
    assert result.entry['topics'] == {'image': '/cam/color/image', 'audio': '/mic/sound', 'info': '/mic/info'}
    assert (result.entry['frames'], result.entry['with_face']) == (4, 1.0)
    assert result.entry['utterances'] >= 1
    assert result.entry['problems'] == {'/cam/color/image: damaged message': 1}
    assert 'bytes are no sensor_msgs/msg/Image' in result.entry['sentences']['/cam/color/image: damaged message']


def test_sound_is_refused_as_the_node_refuses_it_and_what_is_assumed_of_it_is_said(tmp_path):
    write_foreign(tmp_path / 'mp3', images=0, coding='mp3')
    entry = evaluate_bag(Job(tmp_path / 'mp3')).entry
    with Bag(tmp_path / 'mp3') as bag:
        blocks = bag.topics['/mic/sound'].count
    assert (entry['problems']['/mic/info: mp3 audio'], entry['problems']['/mic/sound: mp3 audio']) == (1, blocks)
    assert entry['utterances'] == 0 and 'notice' not in entry
    write_foreign(tmp_path / 'unknown', images=0, coding='')
    entry = evaluate_bag(Job(tmp_path / 'unknown')).entry
    assert entry['notice'] == (
        'no audio_info tells what /mic/sound is: it was taken for S16LE at 16000 Hz with 1 channel'
    )


def test_text_of_a_bag_is_printed_as_it_stands_with_its_topic(tmp_path, capsys):
    write_foreign(tmp_path / 'take[old]', encoding='[/b]')
    assert main('evaluate', [str(tmp_path / 'take[old]'), '--out', str(tmp_path / 'out')]) == 0
    assert 'There is no ground truth' in (tmp_path / 'out' / 'report.html').read_text()
    said = capsys.readouterr().out
    assert 'take[old]: 4 x /cam/color/image: ' in said and "'[/b]'" in said


def test_other_types_and_fields_than_ours_are_counted(tmp_path):
    """A topic with strings among the images, and a format of sound that another package calls as ours is called."""
    write_foreign(tmp_path / 'good')
    info = 'audio_common_msgs/msg/AudioInfo'
    text = typesys.get_types_from_msg('int32 rate', info) | typesys.get_types_from_msg('string data', STRING)
    other = typesys.get_typestore(typesys.Stores.EMPTY)
    other.register(text)
    with Bag(tmp_path / 'good') as bag, Writer(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP) as out:
        topics = {
            name: out.add_connection(name, item.type, typestore=other if item.type == info else bag._reader.typestore)
            for name, item in bag.topics.items()
        }
        strings = out.add_connection('/cam/color/image', STRING, typestore=other)
        for record in bag.read():
            data = other.serialize_cdr(other.types[info](16000), info) if record.type == info else record.data
            out.write(topics[record.topic], record.received_ns, data)
        out.write(strings, bag.end_ns, other.serialize_cdr(other.types[STRING]('hello'), STRING))
    result = evaluate_bag(Job(tmp_path / 'bag'))
    assert result.error == '' and result.entry['frames'] == 4
    assert result.entry['problems'].keys() >= {'/cam/color/image: two types', '/mic/info: other fields'}
    assert f'/cam/color/image: it has two types, {IMAGE} and {STRING}' in str(result.entry['sentences'])
    assert f"/mic/info: the bag's {info} is not the one" in str(result.entry['sentences'])


def test_recorded_results_and_labels_that_cannot_be_used_are_counted(tmp_path):
    kinds = {f'/{name}': kind for name, kind in OUTPUTS.items()} | {'/audio': AUDIO}
    types = installed_types(kinds.values())
    writer = BagWriter(tmp_path / 'bag', types=types)
    for name, kind in kinds.items():
        writer.add_topic(name, kind)
        writer.write(name, START_NS, b'\0\1\0\0 no message')
    stamp = types.types['builtin_interfaces/msg/Time'](*divmod(START_NS, 1_000_000_000))
    header = types.types['std_msgs/msg/Header'](stamp, '')
    for number, (source, probability) in enumerate([('face', 0.5), ('nose', 1 / 6), ('face', 1 / 6)]):
        probabilities = np.full(6, probability, np.float32)
        said = types.types[PROBS](header, source, 'f0001', probabilities, 0.5, [], '', stamp, True, 0.0, '')
        writer.write('/emotion/face', START_NS + MS * (number + 1), bytes(types.serialize_cdr(said, PROBS)))
    writer.close()
    result = evaluate_bag(Job(tmp_path / 'bag'))
    expected = {f'{name}: damaged message': 1 for name in kinds}
    expected |= {'/emotion/face: bad probabilities': 1, '/emotion/face: wrong source': 1}
    assert result.error == '' and result.entry['problems'] == expected
    assert result.live['face_ms'] == [3.0]


def test_labels_of_another_clock_are_about_the_time_when_they_came(tmp_path):
    """A bag that was replayed by the clock of its recording, and recorded anew: its stamps are of years ago."""
    with Bag(scene_of_years_ago(tmp_path / 'bag')) as bag:
        (interval,) = read_truth(bag, Topics(truth='/emotion/ground_truth'), None, pytest.fail)
        assert (interval.start_ns, interval.end_ns) == (bag.start_ns + 1000 * MS, bag.end_ns)


def test_label_that_is_taken_back_late_was_never_there(tmp_path):
    kind = 'emotion_msgs/msg/GroundTruth'
    types = installed_types([kind])
    writer = BagWriter(tmp_path / 'bag', types=types)
    writer.add_topic('/emotion/ground_truth', kind)
    for second, came, label in ((1, 1, 'happy'), (5, 5, 'sad'), (5, 40, 'happy'), (60, 60, '')):
        stamp = types.types['builtin_interfaces/msg/Time'](sec=START_NS // 10**9 + second, nanosec=0)
        header = types.types['std_msgs/msg/Header'](stamp=stamp, frame_id='')
        message = types.types[kind](header=header, subject_id='', label=label)
        writer.write('/emotion/ground_truth', START_NS + 1000 * came * MS, bytes(types.serialize_cdr(message, kind)))
    writer.close()
    with Bag(tmp_path / 'bag') as bag:
        (interval,) = read_truth(bag, Topics(truth='/emotion/ground_truth'), None, pytest.fail)
    assert (interval.start_ns, interval.end_ns) == (START_NS + 1000 * MS, START_NS + 60_000 * MS)


def test_labels_of_another_time_than_the_bag_are_refused_and_long_ones_cut(tmp_path):
    labels = tmp_path / 'labels.csv'
    with Bag(scene_of_years_ago(tmp_path / 'bag')) as bag:
        labels.write_text('start,end,subject,label\n1,99999999,,happy\n')
        (interval,) = read_truth(bag, Topics(), labels, pytest.fail)
        assert (interval.start_ns, interval.end_ns) == (bag.start_ns + 1000 * MS, bag.end_ns)
        labels.write_text('start,end,subject,label\n200,201,,happy\n')
        with pytest.raises(LabelError, match='no label is about .*the first begins at 200.000 s.* 0 to 1.900 s'):
            read_truth(bag, Topics(), labels, pytest.fail)


def scene_of_years_ago(folder):
    """Write a bag of 1.9 s with a label after 1 s; the stamps in it are of three years before."""
    kind = 'emotion_msgs/msg/GroundTruth'
    types = installed_types([kind])
    writer = BagWriter(folder, types=types)
    writer.add_topic('/emotion/ground_truth', kind)
    for ms, label in ((0, ''), (1000, 'happy'), (1900, 'happy')):
        stamp = types.types['builtin_interfaces/msg/Time'](sec=START_NS // 10**9 - 10**8, nanosec=ms * MS)
        header = types.types['std_msgs/msg/Header'](stamp=stamp, frame_id='')
        message = types.types[kind](header=header, subject_id='', label=label)
        writer.write('/emotion/ground_truth', START_NS + ms * MS, bytes(types.serialize_cdr(message, kind)))
    writer.close()
    return folder


def test_a_drawing_is_no_image_to_evaluate_whatever_its_transport(tmp_path):
    writer = BagWriter(tmp_path / 'bag')
    for name in ('/cam/shot', '/emotion/overlay/zstd'):
        writer.add_topic(name, COMPRESSED)
        writer.write(name, START_NS, b'')
    writer.close()
    with Bag(tmp_path / 'bag') as bag:
        assert find_topics(bag).image == '/cam/shot'


def test_wrong_type_and_unknown_remap_name_the_topic(scene, tmp_path):
    write_strings(tmp_path / 'words')
    with Bag(tmp_path / 'words') as bag, pytest.raises(BagError, match='/words.*image_raw must be a sensor_msgs'):
        find_topics(bag, {'/words': 'image_raw'})
    with Bag(scene) as bag:
        with pytest.raises(BagError, match="no topic '/nothing' to remap"):
            find_topics(bag, {'/nothing': 'image_raw'})
        assert bag.topics['/image_raw/compressed'].type == COMPRESSED


def test_of_several_topics_the_remapped_one_is_taken(tmp_path):
    kinds = {'image_raw': IMAGE, 'image_raw/compressed': COMPRESSED, 'emotion/face': PROBS}
    writer = BagWriter(tmp_path / 'bag')
    for side in ('front', 'rear'):
        for name, kind in kinds.items():
            writer.add_topic(f'/{side}/{name}', kind)
            writer.write(f'/{side}/{name}', START_NS, b'')
    writer.close()
    with Bag(tmp_path / 'bag') as bag:
        remaps = {}
        for role in ('image_raw', 'emotion/face'):
            with pytest.raises(BagError, match=f'for {role}, /front/{role}, /rear/{role}') as caught:
                find_topics(bag, remaps)
            remaps = dict(pair.split(':=') for pair in str(caught.value).split('`')[1].split()[1:])
        assert find_topics(bag, remaps) == Topics(image='/front/image_raw', face='/front/emotion/face')
        remaps = {'/rear/image_raw/compressed': 'image_raw/compressed', '/rear/emotion/face': 'emotion/face'}
        assert find_topics(bag, remaps).image == '/rear/image_raw/compressed'


def test_pictures_in_folders_are_measured_as_they_are_and_through_the_node(tmp_path, capsys):
    portrait = cv2.imread(str(ASSETS / 'portrait.jpg'))
    for label in ('happy', 'sad'):
        (tmp_path / 'faces' / label).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / 'faces' / 'happy' / 'a.png'), portrait)
    cv2.imwrite(str(tmp_path / 'faces' / 'happy' / 'b.png'), cv2.resize(portrait[:210, 120:330], (48, 48)))
    cv2.imwrite(str(tmp_path / 'faces' / 'sad' / 'blank.png'), np.full((200, 200, 3), 127, np.uint8))
    (tmp_path / 'faces' / 'sad' / 'broken.jpg').write_bytes(b'no picture')
    out = tmp_path / 'out'
    assert main('evaluate', ['--dataset', str(tmp_path / 'faces'), '--out', str(out)]) == 1  # one cannot be read
    table = json.loads((out / 'metrics.json').read_text())
    assert table['alone']['n'] == 3 and table['alone']['coverage'] == 1
    assert table['through_node']['n'] in (1, 2)  # never the blank one; Haar does not find the small one
    assert 'broken.jpg' in table['unread'][0] and table['model'].startswith('fer_compact@')
    shown = ''.join(capsys.readouterr()).splitlines()
    headings = next(line for line in shown if 'macro-F1' in line)
    place = slice(headings.index('macro-F1'), headings.index('macro-F1') + len('macro-F1'))
    row = next(line for line in shown if 'as they are' in line)
    assert float(row[place]) == pytest.approx(100 * table['alone']['macro_f1'], abs=0.06)  # below its heading
    assert any(line.split()[:2] == ['always', 'happy'] for line in shown) and any('chance' in line for line in shown)


def test_all_figures_of_a_data_set_are_of_the_labels_that_were_said():
    said = [(Item(str(i), 2, str(i), None), np.eye(6)[2], label) for i, label in enumerate((2, 2, 4))]
    table = dataset_run._figures(said, 4)
    assert table['per_class']['happy']['recall'] == table['accuracy'] == 0.6667
    assert not {'recall', 'balanced_accuracy'} & table.keys()  # those would be of the most probable emotion
    assert (table['coverage'], table['accuracy_of_all']) == (0.75, 0.5)


def test_sounds_in_a_table_are_measured_with_their_speakers(tmp_path, capsys):
    rows = [('path', 'label', 'speaker')]
    for name, label in (('glad', 'joy'), ('weary', 'sadness')):
        shutil.copy(ASSETS / f'{name}.ogg', tmp_path)
        rows.append((f'{name}.ogg', label, name))
    soundfile.write(tmp_path / 'nothing.wav', np.zeros(16000), 16000)
    shutil.copy(ASSETS / 'glad.ogg', tmp_path / 'other.ogg')
    rows += [('nothing.wav', 'neutral', 'nobody'), ('other.ogg', 'disgust', 'glad')]
    with open(tmp_path / 'table.csv', 'w', newline='') as file:
        csv.writer(file).writerows(rows)
    assert main('evaluate', ['--dataset', str(tmp_path / 'table.csv'), '--out', str(tmp_path / 'out')]) == 0
    table = json.loads((tmp_path / 'out' / 'metrics.json').read_text())
    assert (table['alone']['n'], table['through_node']['n']) == (3, 2)  # silence is no speech
    assert table['description'].startswith('3 sounds of ') and table['description'].endswith(' (1 disgust left out)')
    assert table['through_node']['interval']['sources'] == 2
    shown = capsys.readouterr().out
    assert re.search(r'through the node .* \d+–\d+, 2 ', shown)
    assert shown.count('Intervals of fewer than 10 people or files are too narrow') == 1


def test_people_have_folders_inside_or_around_those_of_the_labels(tmp_path):
    for folder in ('joy/anna', 'ben/sad', 'disgust/ben', '.trash/sad'):
        (tmp_path / 'sounds' / folder).mkdir(parents=True)
        shutil.copy(ASSETS / 'glad.ogg', tmp_path / 'sounds' / folder)
    shutil.copy(ASSETS / 'glad.ogg', tmp_path / 'sounds')
    for name in ('ben/sad/voice.m4a', 'ben/sad/notes.txt', '.DS_Store'):
        (tmp_path / 'sounds' / name).touch()
    data = datasets.load(str(tmp_path / 'sounds'), tmp_path)
    assert {(EMOTIONS[item.label], item.source) for item in data.items} == {('happy', 'anna'), ('sad', 'ben')}
    left_out = '(1 .txt, 1 disgust, 1 in no folder left out)'
    assert data.description == f'3 sounds of {tmp_path / "sounds"}, 2 people {left_out}'
    for folder in ('joy', 'sad'):
        (tmp_path / 'of_nobody' / folder).mkdir(parents=True)
        shutil.copy(ASSETS / 'glad.ogg', tmp_path / 'of_nobody' / folder)
    said = datasets.load(str(tmp_path / 'of_nobody'), tmp_path).description
    assert said.endswith('each taken for a voice of its own: no speaker is named')


def test_folder_that_cannot_be_written_to_is_found_before_the_work(scene, tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    for folder in ('file', 'file/below'):
        assert main('evaluate', [str(scene), '--out', str(tmp_path / folder)]) == 1
        captured = capsys.readouterr()
        assert f"cannot write to the folder '{tmp_path / folder}'" in captured.err and captured.out == ''


@pytest.mark.parametrize(
    'command, sentence',
    [
        ('evaluate x --jobs -1', "'-1' is no whole number from 0 on"),
        ('replay x --remap /words:=a-b', "'a-b' is no name of ROS"),
        ('replay x --namespace 1st', "'1st' is no name of ROS"),
        ('record --namespace /a//b', "'/a//b' is no name of ROS"),
    ],
)
def test_option_that_is_none_gets_a_sentence(command, sentence, capsys):
    command, *arguments = command.split()
    with pytest.raises(SystemExit):
        main(command, arguments)
    assert sentence in capsys.readouterr().err


def test_detector_of_faces_is_refused_with_sounds(tmp_path, capsys):
    (tmp_path / 'sad').mkdir()
    shutil.copy(ASSETS / 'glad.ogg', tmp_path / 'sad')
    assert main('evaluate', ['--dataset', str(tmp_path), '--detector', 'haar', '--out', str(tmp_path / 'out')]) == 1
    assert 'with sounds there is no use for --detector' in capsys.readouterr().err


def test_table_of_pictures_that_is_no_text_gets_a_sentence(tmp_path, capsys):
    (tmp_path / 'table.csv').write_bytes('path,label\nmüde.jpg,sad\n'.encode('latin-1'))
    assert main('evaluate', ['--dataset', str(tmp_path / 'table.csv'), '--out', str(tmp_path / 'out')]) == 1
    assert 'which must be a CSV file in UTF-8' in capsys.readouterr().err


def test_table_in_a_pipe_is_not_cut():
    console = Console(file=StringIO())
    show(console, Table(*(f'a long heading {number}' for number in range(8)), box=None))
    assert 'a long heading 7' in console.file.getvalue()


@pytest.mark.parametrize(
    'command, idle',
    [
        ('evaluate --dataset nowhere --face-model x', '--face-model'),
        ('evaluate nowhere --dataset nowhere --compare x', 'bags, --compare'),
        ('evaluate --speakers --detector haar --remap a:=b', '--remap, --detector'),
        ('evaluate --robustness --dataset nowhere --labels x', '--labels, --robustness'),
        ('evaluate nowhere --limit 5', '--limit'),
        ('evaluate nowhere --threshold 0.1', '--threshold'),
        ('record --scenario --topics /x --compression lz4', '--topics, --compression'),
        ('record --data x', '--data'),
        ('label walk --rate 3 --namespace foo --names x', 'bag, --rate, --namespace'),
        ('label walk --namespace foo', '--namespace'),
        ('label --rate 3', '--rate'),
        ('evaluate --dataset nowhere --data x', '--data'),
        ('record --storage sqlite3 --compression lz4', '--compression'),
    ],
)
def test_options_that_would_be_ignored_are_refused(command, idle, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command, *arguments = command.split()
    assert main(command, arguments) == 1
    assert f'there is no use for {idle}: leave it out' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_every_option_goes_with_something():
    for command, ways in TAKES.items():
        known = {option for action in make_parser(command)._actions for option in action.option_strings}
        taken = {*ways, *' '.join(ways.values()).split()}
        assert known - taken == {'-h', '--help', *({'-o'} if command != 'evaluate' else ())}


def test_sound_without_a_label_is_an_error_that_names_the_line(tmp_path, capsys):
    shutil.copy(ASSETS / 'glad.ogg', tmp_path)
    (tmp_path / 'table.csv').write_text('path,label\nglad.ogg,joy\nglad.ogg,\n')
    assert main('evaluate', ['--dataset', str(tmp_path / 'table.csv'), '--out', str(tmp_path / 'out')]) == 1
    assert 'line 3: a path and a label are needed' in ''.join(capsys.readouterr()).replace('\n', ' ')


@pytest.mark.parametrize(
    'arguments, sentence',
    [
        ([], 'name a bag'),
        (['nowhere'], "no bag 'nowhere'"),
        (['--dataset', 'nowhere'], 'neither one of fer2013'),
        (['x', '--compare', '/dev/null'], 'no evaluation to compare with: it is no JSON'),
        (['x', '--compare', 'bags.json'], 'no evaluation to compare with: it holds no figures of bags'),
        (['x', '--compare', 'nowhere.json'], "cannot read 'nowhere.json' to compare with: No such file"),
    ],
)
def test_mistakes_get_a_sentence(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'bags.json').write_text('{"all": {"bags": 1}, "bags": null}')
    assert main('evaluate', [*arguments, '--out', str(tmp_path / 'out'), '--no-report']) == 1
    captured = capsys.readouterr()
    assert sentence in (captured.out + captured.err).replace('\n', ' ')


def test_data_set_of_which_nothing_can_be_read_leaves_the_figures_of_before(tmp_path, capsys):
    soundfile.write(tmp_path / 'nan.wav', np.full(16000, np.nan, np.float32), 16000, subtype='FLOAT')
    (tmp_path / 'table.csv').write_text('path,label\nnan.wav,sad\n')
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'metrics.json').write_text('of before')
    assert main('evaluate', ['--dataset', str(tmp_path / 'table.csv'), '--out', str(tmp_path / 'out')]) == 1
    assert (tmp_path / 'out' / 'metrics.json').read_text() == 'of before'
    said = ' '.join(capsys.readouterr().out.split())
    assert 'holds samples that are no numbers' in said and 'nothing could be measured' in said


def test_message_of_another_time_is_told_before_all_time_between_is_gone_through(scene, monkeypatch):
    monkeypatch.setattr(evaluate, 'LONGEST_S', 5.0)
    assert 'recorded while the clock was wrong' in evaluate_bag(Job(scene)).error


def test_bags_of_one_evaluation_only_are_named():
    then, now = ({'bags': [{'bag': name, 'sha256': name} for name in names]} for names in ('ab', 'bcdef'))
    assert compare.other_bags(then, now) == 'only then a; only now c, d, e and 1 more'
    assert compare.other_bags(then, then) == ''
