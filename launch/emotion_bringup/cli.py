"""The emotion command: everything behind ``./emotion`` once environment and workspace are there."""

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

VERSION = '0.1.0'
SHORTEST_BENCH_S = 5.0  # the camera reports once a second how many frames it has published

# Of emotion_evaluation.cli, which needs more than a first look at --help should.
BAG_COMMANDS = {
    'record': 'Record a running graph to a rosbag2 bag.',
    'replay': 'Publish a bag, for a live graph.',
    'label': 'Write ground truth.',
    'evaluate': 'Measure recognisers and fusion on bags or data sets.',
}
FETCHED = ('yunet', 'fer_mobilefacenet')  # emotion_core.store.FETCHABLE, likewise
EXAMPLES = """examples:
  ./emotion demo                                   see it work, no hardware needed
  ./emotion up                                     camera 0 and the default microphone
  ./emotion up camera:=clip.mp4 microphone:=clip.mp4
  ./emotion up face camera:=/dev/video2 namespace:=robot1
  ./emotion up session continuous:=true            hold an expression, speak, see both
  ./emotion record; ./emotion evaluate emotion_2*  keep what happens in a bag, and measure on it
  eval "$(./emotion env)"                          have it all in this shell
"""

IMPORTS = """what can be imported:
  resnet50.pth            torchvision's ResNet-50: a state dict, or a dict around one
  wavlm_ser_model/        Hugging Face folder for image or audio classification (waveform models); with
                          wavlm_ser_model.pth beside it the weights are taken from there
  owner/model             the same, downloaded from the hub
  model.onnx              an ONNX file: with --card, or one that `fetch` knows (opencv_zoo's FER net)

examples:
  ./emotion models import rafdb_resnet50_6classes_weighted.pth
  ./emotion models import seven.pth --labels surprise,fear,disgust,happy,sad,angry,neutral --data my_pictures/
  ./emotion models import wavlm_ser_model/ --name my_voices
  ./emotion models import some_folder/ --label-map excited=happy bored=
  ./emotion models import net.onnx --card net.json --replace
"""


def _picture(text: str) -> Path:
    path = Path(text).absolute()
    if path.suffix.lower() not in ('.jpg', '.png') or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"a .jpg or .png file in a folder that is there is needed, not '{text}'")
    return path


def _bench_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not SHORTEST_BENCH_S <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"a number of seconds from {SHORTEST_BENCH_S:g} on is needed, not '{text}'")
    return seconds


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command."""
    parser = argparse.ArgumentParser(
        prog='emotion',
        description='Emotion recognition from face and voice, as ROS 2 nodes.',
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=f'emotion_ros {VERSION}')
    commands = parser.add_subparsers(dest='command', metavar='command')

    def command(name: str, text: str, examples: str = '') -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=examples and 'examples:\n' + examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    demo = command(
        'demo',
        'Run the whole graph on a bundled scenario; ends by itself.',
        '  ./emotion demo\n  ./emotion demo game\n  ./emotion demo --picture overlay.png\n',
    )
    demo.add_argument(
        'what', nargs='?', choices=('scene', 'game'), default='scene', help='what to play (default: scene)'
    )
    demo.add_argument('--picture', metavar='FILE', type=_picture, help='save the overlay of one moment as .jpg or .png')

    up = command(
        'up',
        'Run a graph until Ctrl-C.',
        '  ./emotion up\n  ./emotion up speech microphone:=voice.wav\n  ./emotion up speech --print\n'
        '  ./emotion up multimodal --show-args\n',
    )
    up.add_argument('words', nargs='*', metavar='[multimodal|face|speech|session|game] [name:=value …]')
    up.add_argument('-p', '--print', action='store_true', help='print the three most probable emotions per utterance')
    up.add_argument('-s', '--show-args', action='store_true', help='list the arguments of the graph')

    view = command(
        'view',
        'Show the overlay of a running graph in a window: q closes it, c captures, space plays, a aborts.',
        '  ./emotion view\n  ./emotion view --namespace robot1\n',
    )
    view.add_argument('--namespace', default='', help='of the graph')

    command('devices', 'List cameras and microphones with the values to pass.')

    models = command(
        'models',
        'The model store.',
        '  ./emotion models list\n  ./emotion models fetch yunet\n'
        '  ./emotion models fetch yunet --file face_detection_yunet_2023mar.onnx\n'
        '  ./emotion models import resnet50.pth --name my_faces\n  ./emotion models verify\n',
    ).add_subparsers(dest='action', metavar='action', required=True)
    models.add_parser('list', help='what there is')
    fetch = models.add_parser('fetch', help='get a public model')
    fetch.add_argument(
        'name',
        choices=FETCHED,
        help=f'{FETCHED[0]}: finds faces, better than Haar cascades; {FETCHED[1]}: a face model, not calibrated',
    )
    fetch.add_argument('--file', help='a copy that was already downloaded, instead of the network')
    importing = models.add_parser(
        'import',
        help='bring in a model that others made',
        description='Bring in a model that others made: it is converted to ONNX, compared with the original, and '
        'calibrated when there is data. Nothing in a file is run. Of weights and Hugging Face models the first import '
        'installs PyTorch.',
        epilog=IMPORTS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    importing.add_argument('source', help='a file, a folder, or the id of a model on the Hugging Face hub')
    importing.add_argument('--name', default='', help='in the store; default: that of the card, file or folder')
    importing.add_argument('--labels', default='', metavar='A,B,…', help='of the outputs, in order; default: its own')
    importing.add_argument(
        '--label-map',
        nargs='+',
        default=[],
        metavar='LABEL=EMOTION',
        help='what a foreign label means; LABEL= drops it',
    )
    importing.add_argument('--card', type=Path, metavar='JSON', help='of an ONNX file')
    importing.add_argument('--sha256', default='', help='that the file must have')
    importing.add_argument(
        '--data',
        type=Path,
        metavar='FOLDER',
        help='to calibrate it on: pictures or recordings, a folder for each emotion',
    )
    importing.add_argument('--replace', action='store_true', help='take the place of a model of that name')
    verify = models.add_parser('verify', help='check that models are what their cards say, load and run')
    verify.add_argument('names', nargs='*', metavar='name', help='by default all')

    command('doctor', 'Say what is missing and how to mend it.')

    test = command(
        'test',
        'Run every test; other arguments go to pytest.',
        '  ./emotion test --fast\n  ./emotion test src/emotion_fusion -k stale\n',
    )
    test.add_argument('--fast', action='store_true', help='only what needs no ROS')
    test.add_argument('--training', action='store_true', help='with the tests that need torch')

    bench = command(
        'bench',
        'Measure speed and latency of the graph on this machine, beside references.',
        '  ./emotion bench\n  ./emotion bench --seconds 60 --json bench.json\n',
    )
    bench.add_argument('--seconds', type=_bench_seconds, default=30.0, help='how long to measure (default: 30)')
    bench.add_argument('--json', metavar='FILE', help='write every measured value there')

    command('manifest', 'List a corpus of voices for training: files, labels, speakers, split; --help says which.')
    command('train', 'Train a model; --help says which, and of what data.')
    for name, text in BAG_COMMANDS.items():
        command(name, text)
    env = command(
        'env',
        'Print what to `eval` to have environment and workspace in a shell.',
        '  eval "$(./emotion env)"; python examples/listen.py\n',
    )
    env.add_argument('--training', action='store_true', help='with what training needs')
    return parser


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """
    Read a command line, without what only the environment can tell; exits with help, or with what is wrong.

    :return: The options of the subcommand, and its arguments for a parser or a tool of its own.
    """
    argv = list(argv)
    if argv and argv[0] in (*BAG_COMMANDS, 'manifest', 'train'):  # have parsers of their own
        return argparse.Namespace(command=argv[0]), argv[1:]
    parser = build_parser()
    options, others = parser.parse_known_args(argv)
    if options.command == 'up':  # argparse gives back what stands behind an option
        options.words += [word for word in others if not word.startswith('-')]
        others = [word for word in others if word.startswith('-')]
    if others and options.command != 'test':
        parser.error(f'unknown arguments: {" ".join(others)}')
    if options.command is None:
        parser.print_help()
        parser.exit()
    return options, others


def main(argv: Sequence[str] | None = None) -> None:
    """Run one subcommand and exit with its code."""
    options, others = parse(sys.argv[1:] if argv is None else argv)
    try:
        code = run(options, others)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read, as in `| head`, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:  # also while what a command needs is imported
        code = 130
    sys.exit(code)


def run(options: argparse.Namespace, others: list[str]) -> int:
    """Run the chosen subcommand; gives the exit code."""
    if options.command in BAG_COMMANDS:
        from emotion_evaluation.cli import main as bag_command

        return bag_command(options.command, others)
    if options.command == 'train':
        from emotion_training.cli import main as train

        return train(others, './emotion train')
    from emotion_core.errors import EmotionError

    try:
        if options.command == 'up':
            from emotion_bringup.up import up

            return up(options.words, options.show_args, options.print)
        if options.command == 'demo':
            if options.what == 'game':
                from emotion_bringup.demo_game import demo_game

                return demo_game(options.picture)
            from emotion_bringup.demo import demo

            return demo(options.picture)
        if options.command == 'bench':
            from emotion_bringup.bench import bench

            return bench(options.seconds, options.json)
        if options.command == 'view':
            from emotion_view.window import view

            return view(options.namespace)
        if options.command == 'devices':
            from emotion_bringup.devices import print_devices

            return print_devices()
        if options.command == 'models':
            from emotion_bringup import models

            if options.action == 'fetch':
                return models.fetch(options.name, options.file)
            if options.action == 'import':
                return models.import_model(options)
            return models.verify(options.names) if options.action == 'verify' else models.print_models()
        if options.command == 'manifest':
            from emotion_training import manifest_command

            return manifest_command.main(others, './emotion manifest')
        if options.command == 'doctor':
            from emotion_bringup.doctor import doctor

            return doctor()
        if options.command == 'test':
            from emotion_bringup.testing import test

            return test(options.fast, options.training, others)
        print('emotion env is part of the file ./emotion: eval "$(./emotion env)"', file=sys.stderr)
        return 1
    except EmotionError as error:
        print(f'emotion: {error}', file=sys.stderr)
        return 1


if __name__ == '__main__':
    main()
