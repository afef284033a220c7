"""``emotion bench``: speed and latency of the graph on this machine."""

import json
import os
import shutil
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import psutil
import soundfile
from rich.console import Console
from rich.table import Table

from emotion_bringup.beside import ON_THIS_HOST, own_node, run_to_end, stay_on_this_host, supervisor_of
from emotion_bringup.graph import GRAPHS, LaunchError, Process, plan, start_of
from emotion_bringup.probe import probe
from emotion_bringup.transport import PROFILE_VARIABLES
from emotion_core.onnx_model import OnnxModel
from emotion_core.store import ModelStore
from emotion_drivers import scenario
from emotion_evaluation.live import LiveMeter, LiveReport, percentiles

NAMESPACE = 'emotion_bench'
FRAME_RATE_HZ = 30.0
PICTURES = np.linspace(3.0, 7.0, 8)  # moments of the scenario with one face in good light [s]
GAP_S = 1.5  # between two utterances
WARM_UP_S = 8.0  # after the start of the files: models are loaded, caches are warm
SOUND_END_DB = -40.0  # relative to an utterance's loudest sample; what is softer is no voice any more
MODEL_RUNS = 50
SPEECH_S = 3.0
MATCH_S = 0.5  # an end of voice that the node reports belongs to a true end this near


def write_input(folder: Path) -> list[tuple[float, float]]:
    """
    Write pictures with one face, sounds with one utterance each, and the parameters that play them for ever.

    :return: For each utterance, in the order of play, its true end and its length with the gap [s].
    """
    for kind in ('images', 'sounds'):
        (folder / kind).mkdir()
    scene = scenario.Scene()
    for number, moment in enumerate(PICTURES):
        cv2.imwrite(str(folder / 'images' / f'{number}.png'), scene.draw(float(moment)))
    schedule = []
    for number, (_, name) in enumerate(scenario.UTTERANCES):
        samples, rate = soundfile.read(scenario.ASSETS / f'{name}.ogg')
        shutil.copy(scenario.ASSETS / f'{name}.ogg', folder / 'sounds' / f'{number}.ogg')
        voiced = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 10 ** (SOUND_END_DB / 20))
        schedule.append((voiced[-1] / rate, len(samples) / rate + GAP_S))
    (folder / 'params.yaml').write_text(
        f'/**/camera:\n  ros__parameters: {{loop: true, frame_rate: {FRAME_RATE_HZ}, seconds_per_image: 1.0}}\n'
        f'/**/microphone:\n  ros__parameters: {{loop: true, gap_seconds: {GAP_S}}}\n'
    )
    return schedule


def true_ends(schedule: list[tuple[float, float]], start: float, until: float) -> np.ndarray:
    """Give when each utterance truly ended, between the start of the sounds and a time [s since the epoch]."""
    ends, begin = [], start
    while begin < until:
        for end, length in schedule:
            ends.append(begin + end)
            begin += length
    return np.array(ends)


def latencies_from(ends: np.ndarray, heard: list[tuple[float, float]]) -> list[float]:
    """
    Give the latency of each final result, from the true end of its speech.

    :param ends: True ends [s].
    :param heard: Of each result the end of the voice as the node says it, and its arrival [s].
    :return: [ms]; without the results of a pause inside an utterance.
    """
    nearest = [ends[np.argmin(np.abs(ends - end))] for end, _ in heard] if len(ends) else []
    return [1000 * (arrival - true) for (end, arrival), true in zip(heard, nearest) if abs(end - true) < MATCH_S]


def find_processes(processes: list[Process]) -> dict[str, psutil.Process]:
    """Give the running process of each node, by name."""
    found = {}
    for child in psutil.Process().children(recursive=True):
        line = child.cmdline()
        found |= {process.name: child for process in processes if f'__node:={process.name}' in line}
    return found


def measure(seconds: float) -> tuple[LiveReport, list[float]]:
    """Run the multimodal graph on one face at 30 Hz and one voice; gives the report and the speech latencies [ms]."""
    stay_on_this_host()
    with tempfile.TemporaryDirectory(prefix='emotion_bench_') as name, open(Path(name) / 'log', 'w+') as log:
        folder = Path(name)
        schedule = write_input(folder)
        processes = plan(
            GRAPHS['multimodal'],
            {
                'camera': str(folder / 'images'),
                'microphone': str(folder / 'sounds'),
                'namespace': NAMESPACE,
                'params_file': str(folder / 'params.yaml'),
                'use_respawn': 'false',
            },
        )
        start = start_of(processes)
        begin = start + WARM_UP_S
        report: LiveReport | None = None

        def go_on() -> bool:
            nonlocal report
            if not meter.is_measuring and time.time() >= begin:
                meter.begin(find_processes(processes))
            if time.time() >= begin + seconds:
                report = meter.end()  # while the processes are still there
            return report is None

        with own_node(lambda: LiveMeter(NAMESPACE)) as meter:
            run_to_end(supervisor_of(processes, log), meter, go_on)
        if report is None:
            log.seek(0)
            raise SystemExit(f'emotion bench: the graph ended early:\n{log.read()[-2000:]}')
    return report, latencies_from(true_ends(schedule, start, time.time()), report.speech_heard)


def model_ms(name: str, task: str) -> float:
    """Give the median time of one run of a bundled model on one thread [ms]: one face, or SPEECH_S of speech."""
    model = OnnxModel(ModelStore().find(name), task)
    spec = model.card.input
    shape = (1, len(spec.mean), spec.height, spec.width) if task == 'fer' else (1, round(SPEECH_S * spec.sample_rate))
    batch = np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float32)
    times = []
    for _ in range(MODEL_RUNS):
        begin = time.perf_counter()
        model(batch)
        times.append(1000 * (time.perf_counter() - begin))
    return float(np.median(times))


def default_transport() -> dict:
    """Measure the arrival of frames as Fast DDS comes, without the project's profile, in processes of its own."""
    left_out = (*PROFILE_VARIABLES, ON_THIS_HOST[0])
    environ = {name: value for name, value in os.environ.items() if name not in left_out}
    return asdict(probe(NAMESPACE, environ))


def describe(milliseconds: list[float]) -> str:
    """Give median and 95 % of some times [ms], as in '10 / 17 ms'."""
    return '{:.0f} / {:.0f} ms'.format(*percentiles(milliseconds)) if milliseconds else 'none came: measure for longer'


def bench(seconds: float, json_file: str | None = None) -> int:
    """Measure and print; gives the exit code, and raises LaunchError where the file cannot be written."""
    if json_file:  # before the work that fills it
        try:
            open(json_file, 'a').close()
        except OSError as error:
            raise LaunchError(f"cannot write '{json_file}': {error.strerror}") from error
    console = Console()
    with console.status(f'measuring the running graph, about {seconds + WARM_UP_S + 8:.0f} s'):
        report, speech_ms = measure(seconds)
    with console.status('measuring Fast DDS without the profile, about 10 s'):
        reference = default_transport()
    default = reference['received'] / max(reference['published'], 1)
    table = Table(
        'what',
        'measured',
        'beside',
        title=f'{report.seconds:.0f} s, 640x480 at {FRAME_RATE_HZ:g} Hz with one face, '
        'one voice, each node a process of its own',
        title_justify='left',
    )
    table.add_row(
        'frames that arrive (sensor-data QoS)',
        f'{report.arrival:.1%} of {report.frames_published}',
        f'{default:.1%} of {reference["published"]} without the profile',
    )
    table.add_row('frames back as emotion/faces', f'{report.processed:.1%}', '')
    table.add_row(
        'frame taken → emotion/face, p50 / p95',
        describe(report.face_ms),
        f'{percentiles(report.face_ms)[1] * FRAME_RATE_HZ / 1000:.2f} frame periods (p95)' if report.face_ms else '',
    )
    table.add_row('true end of speech → emotion/speech', describe(speech_ms), f'n = {len(speech_ms)}')
    table.add_row('end of voice by the detector → the same', describe(report.speech_ms), f'n = {len(report.speech_ms)}')
    for name, percent in sorted(report.cpu_percent.items(), key=lambda item: -item[1]):
        table.add_row(f'CPU of {name}', f'{percent:.0f} % of a core', '')
    table.add_row('fer_compact, one face, one thread', f'{model_ms("fer_compact", "fer"):.1f} ms', '')
    speech_model = model_ms('ser_compact', 'ser')
    table.add_row(
        f'ser_compact, {SPEECH_S:g} s of speech, one thread',
        f'{speech_model:.1f} ms',
        f'{speech_model / SPEECH_S / 1000:.4f} of real time',
    )
    console.print(table)
    if json_file:
        Path(json_file).write_text(
            json.dumps({**asdict(report), 'true_speech_ms': speech_ms, 'default_transport': reference}, indent=1)
        )
    return 0
