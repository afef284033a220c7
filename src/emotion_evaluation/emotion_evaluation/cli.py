"""The commands ``emotion record``, ``replay``, ``label`` and ``evaluate``."""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from emotion_core.errors import EmotionError
from emotion_evaluation.bag_writer import COMPRESSIONS, STORAGES
from emotion_evaluation.compare import RELATIVE, THRESHOLD
from emotion_evaluation.errors import BagError
from emotion_fusion.parameters import METHODS

COMMANDS = {
    'record': 'Record a running graph to a rosbag2 bag, until Ctrl-C.',
    'replay': 'Publish a bag, so that a live graph runs as if camera and microphone were there.',
    'label': 'Write ground truth: what a subject shows, and when.',
    'evaluate': 'Measure the recognisers and the fusion on bags or data sets, without DDS.',
}
EXAMPLES = {
    'record': """\
  ./emotion record                                  inputs, results, ground truth and diagnostics
  ./emotion record -o walk --duration 60
  ./emotion record --topics '/robot1/*' /tf
  ./emotion record --storage sqlite3 -o for_foxy
  ./emotion record --scenario --data ../shared/data -o scenario      no graph needed: a scripted scene with ground truth
""",
    'replay': """\
  ./emotion up drivers:=none use_sim_time:=true image_transport:=compressed      in another terminal, first
  ./emotion replay walk --clock
  ./emotion replay walk --clock --rate 2 --start 10 --duration 30
  ./emotion replay foreign.mcap --remap /cam/color/image_raw:=image_raw /mic/audio:=audio
""",
    'label': """\
  ./emotion label                            live: keys 1 to 6 say what everyone shows; on emotion/ground_truth
  ./emotion label walk                       along a bag, in real time, to walk.csv
  ./emotion label walk --rate 0.5 --subject anna -o anna.csv
  ./emotion label --names clips/*.mcap       happy_03.mcap is happy from beginning to end: writes happy_03.csv beside it
""",
    'evaluate': """\
  ./emotion evaluate walk
  ./emotion evaluate walk --labels walk.csv --out results
  ./emotion evaluate bags/ --jobs 2 --compare results/metrics.json
  ./emotion evaluate foreign.mcap --remap /cam/color/image_raw:=image_raw
  ./emotion evaluate --dataset fer2013 --data ../shared/data --limit 600
  ./emotion evaluate --dataset my_voices/ --model ser_compact
  ./emotion evaluate --robustness --data ../shared/data
  ./emotion evaluate --speakers --data ../shared/data
""",
}
GRAPH = 'a running graph'
TAKES = {  # what each way of recording, labelling and evaluating takes
    'record': {
        '--scenario': '--out --storage --data',
        '--storage': '--out --topics --namespace --duration --use-sim-time',  # another than MCAP
        GRAPH: '--out --storage --topics --namespace --compression --duration --use-sim-time',
    },
    'label': {
        '--names': '--out --subject',
        'bag': '--out --subject --rate',
        GRAPH: '--out --subject --namespace',
    },
    'evaluate': {
        '--dataset': '--out --no-report --data --model --limit --detector',
        '--robustness': '--out --no-report --data --pairs --face-model --speech-model',
        '--speakers': '--out --no-report --data --choose --jobs',
        'bags': '--out --no-report --labels --compare --threshold --remap --face-model --speech-model --fusion-method '
        '--detector --jobs --dask',
    },
}


def make_parser(command: str, prog: str = '') -> argparse.ArgumentParser:
    """Give the parser of one of COMMANDS."""
    parser = argparse.ArgumentParser(
        prog=prog or f'emotion {command}',
        description=COMMANDS[command],
        epilog='examples:\n' + EXAMPLES[command],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    {'record': _record, 'replay': _replay, 'label': _label, 'evaluate': _evaluate}[command](parser)
    return parser


def main(command: str, arguments: Sequence[str], prog: str = '') -> int:
    """Run one of COMMANDS; gives the exit code."""
    parser = make_parser(command, prog)
    options = parser.parse_args(arguments)
    try:
        _refuse_idle(TAKES.get(command, {}), parser, options)
        return _runner(command)(options, list(arguments))
    except EmotionError as error:
        print(f'emotion {command}: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _refuse_idle(ways: dict[str, str], parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse what would be ignored; raises BagError."""
    changed = [name for name, value in vars(options).items() if value != parser.get_default(name)]
    given = [name if name in ways else '--' + name.replace('_', '-') for name in changed]
    way = next((way for way in ways if way in given), GRAPH)
    idle = [name for name in given if way in ways and name not in (way, *ways[way].split())]
    if idle:
        raise BagError(f'with {way} there is no use for {", ".join(idle)}: leave it out')


def _runner(command: str) -> Callable[[argparse.Namespace, list[str]], int]:
    """Give what runs a command; the others' imports take time that this one need not wait for."""
    if command == 'record':
        from emotion_evaluation.run_record import run
    elif command == 'replay':
        from emotion_evaluation.run_replay import run
    elif command == 'label':
        from emotion_evaluation.run_label import run
    else:
        from emotion_evaluation.run_evaluate import run
    return run


def _record(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('-o', '--out', type=Path, metavar='DIR', help='the bag; by default named by the time')
    parser.add_argument(
        '--topics',
        nargs='+',
        default=[],
        metavar='TOPIC',
        help="instead of the graph's own; '*' stands for anything, names without '/' are in the namespace",
    )
    parser.add_argument('--namespace', type=_ros_name, default='', help='of the graph to record')
    parser.add_argument('--storage', choices=STORAGES, default='mcap', help='default: %(default)s')
    parser.add_argument(
        '--compression', choices=COMPRESSIONS, default='zstd', help='of an MCAP file, default: %(default)s'
    )
    parser.add_argument('--duration', type=_seconds, metavar='S', help='stop after so long [s]')
    parser.add_argument('--use-sim-time', action='store_true', help='stamp messages by /clock, for a replayed graph')
    parser.add_argument('--scenario', action='store_true', help='write the scripted scene with ground truth')
    parser.add_argument(
        '--data', type=Path, metavar='FOLDER', help='faces and voices of the scenario; by default those of the demo'
    )


def _replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('bag', type=Path, metavar='BAG', help='a rosbag2 folder, an .mcap or a .db3 file')
    parser.add_argument('--rate', type=_positive, default=1.0, help='times real time, default: 1')
    parser.add_argument('--clock', action='store_true', help='publish the time of the bag on /clock')
    parser.add_argument('--start', type=_seconds, default=0.0, metavar='S', help='begin so far into the bag [s]')
    parser.add_argument('--duration', type=_seconds, metavar='S', help='end after so long [s]')
    _remap(parser, 'name it is published under', _renamed)
    parser.add_argument(
        '--topics', nargs='+', default=[], metavar='TOPIC', help="only these of the bag; '*' stands for anything"
    )
    parser.add_argument(
        '--results', action='store_true', help='publish also what a graph said when the bag was recorded'
    )
    parser.add_argument('--namespace', type=_ros_name, default='', help='of the graph to play to')
    parser.add_argument(
        '--wait', type=_seconds, default=10.0, metavar='S', help='for subscribers, at most so long [s]; default: 10'
    )


def _label(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('bag', type=Path, nargs='?', metavar='BAG', help='label along this bag; by default live')
    parser.add_argument('-o', '--out', type=Path, metavar='CSV', help='by default BAG.csv; live: only if given')
    parser.add_argument('--subject', default='', help='whom the labels are about; by default everyone')
    parser.add_argument('--rate', type=_positive, default=1.0, help='how fast the bag goes by, default: 1')
    parser.add_argument('--namespace', type=_ros_name, default='', help='of the graph to label live')
    parser.add_argument(
        '--names', type=Path, nargs='+', metavar='BAG', help="the label is in the name, as in 'happy_03' or 'anna_sad'"
    )


def _evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('bags', type=Path, nargs='*', default=[], metavar='BAG', help='bags, or folders of bags')
    parser.add_argument(
        '--labels',
        type=Path,
        metavar='CSV',
        help='ground truth (start,end,subject,label), or a folder with BAG.csv for each bag; by default the BAG.csv '
        "beside a bag, otherwise the bag's own emotion/ground_truth",
    )
    parser.add_argument('--out', type=Path, default=Path('evaluation'), metavar='DIR', help='default: %(default)s')
    parser.add_argument('--compare', type=Path, metavar='OLD.json', help='exit with 3 when something got worse')
    parser.add_argument(
        '--threshold',
        type=_seconds,
        default=THRESHOLD,
        help=f'how much a share may get worse; other figures by {RELATIVE} times that, relative; default: %(default)s',
    )
    _remap(parser, 'name in a graph of ours', _pair)
    parser.add_argument('--face-model', metavar='NAME', help='instead of the bundled one')
    parser.add_argument('--speech-model', metavar='NAME', help='instead of the bundled one')
    parser.add_argument('--fusion-method', choices=METHODS, help='instead of the default')
    parser.add_argument('--detector', metavar='NAME', help="'auto', 'yunet' or 'haar'")
    parser.add_argument('--jobs', type=_count, default=0, metavar='N', help='bags at a time; default: one a core')
    parser.add_argument(
        '--dask', nargs='?', const='', metavar='ADDRESS', help='on a Dask cluster; without an address on this machine'
    )
    parser.add_argument('--no-report', action='store_true', help='only metrics.json, no page')
    parser.add_argument(
        '--speakers',
        type=int,
        nargs='?',
        const=14,
        metavar='N',
        help='measure which of two faces a voice is given to, in N made scenes a condition; default: %(const)s',
    )
    parser.add_argument(
        '--choose', action='store_true', help='with --speakers: on other faces and voices, which thresholds are best'
    )
    data = parser.add_argument_group('data sets')
    data.add_argument(
        '--dataset',
        metavar='fer2013|ravdess|nemo|PATH',
        help='pictures or sounds: a folder with one for each label and, inside or around it, perhaps one for each '
        'person, or a CSV with path,label[,speaker]',
    )
    data.add_argument('--data', type=Path, default=Path('.'), metavar='FOLDER', help='holds the named data sets')
    data.add_argument('--model', metavar='NAME', help='by default the bundled one')
    data.add_argument('--limit', type=int, metavar='N', help='only so many, evenly over the labels')
    pairs = parser.add_argument_group('robustness')
    pairs.add_argument(
        '--robustness',
        action='store_true',
        help='pairs of a face of fer2013 and a voice of ravdess or nemo of one label, when both are clean, dark, '
        'noisy, cut off, missing …: what face, voice and each way of fusing them are worth; some minutes',
    )
    pairs.add_argument('--pairs', type=int, default=300, metavar='N', help='in each cell, default: %(default)s')


def _remap(parser: argparse.ArgumentParser, meaning: str, read: Callable[[str], tuple[str, str]]) -> None:
    parser.add_argument(
        '--remap', nargs='+', type=read, default=[], metavar='TOPIC:=NAME', help=f'topic of the bag := {meaning}'
    )


def _pair(text: str) -> tuple[str, str]:
    topic, separator, name = text.partition(':=')
    if not (topic and separator and name):
        raise argparse.ArgumentTypeError(f"'{text}' is not TOPIC:=NAME")
    return topic, name


def _renamed(text: str) -> tuple[str, str]:
    topic, name = _pair(text)
    return topic, _ros_name(name)


def _ros_name(text: str) -> str:
    if text.strip('/') and not re.fullmatch(r'/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*', text, re.ASCII):
        raise argparse.ArgumentTypeError(
            f"'{text}' is no name of ROS: letters, digits and _, in parts between / that do not begin with a digit"
        )
    return text


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 0 on")
    return int(text)


def _seconds(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1e9:
        raise argparse.ArgumentTypeError(f'{text} is negative, too large or no number')
    return value


def _positive(text: str) -> float:
    value = _seconds(text)
    if value == 0:
        raise argparse.ArgumentTypeError('0 is not positive')
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is no number") from error
