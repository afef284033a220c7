"""``emotion test``: every test of every package."""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from emotion_core.errors import EmotionError

# In a test file: an import of rclpy, of a node, or of the helper for tests with nodes.
NEEDS_ROS = re.compile(r'^\s*(?:import rclpy|from (?:rclpy|emotion_core\.testing|[\w.]*node)\b)', re.MULTILINE)
NOTHING_COLLECTED = 5  # exit code of pytest


@dataclass(frozen=True)
class Group:
    """Test files that run in one pytest session."""

    package: str
    needs_ros: bool
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Result:
    """How a group ended."""

    group: Group
    code: int
    passed: int
    failed: int
    skipped: int
    seconds: float


def find_groups(root: Path) -> list[Group]:
    """List the tests of a workspace, those that need no ROS first."""
    groups = []
    for folder in [*sorted(root.glob('src/*/test')), root / 'launch' / 'test']:
        files = sorted(folder.rglob('test_*.py'))
        package = 'emotion_bringup' if folder.parent.name == 'launch' else folder.parent.name
        ros = {file for file in files if NEEDS_ROS.search(file.read_text())}
        for needs_ros in (False, True):
            chosen = tuple(file for file in files if (file in ros) == needs_ros)
            if chosen:
                groups.append(Group(package, needs_ros, chosen))
    return sorted(groups, key=lambda group: (group.needs_ros, group.package != 'emotion_core'))


def run_group(root: Path, group: Group, arguments: Sequence[str]) -> Result:
    """Run one group in a process of its own."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / 'report.xml'
        pytest = [sys.executable, '-m', 'pytest', '-q', '-rs', f'--junit-xml={report}']
        code = subprocess.call([*pytest, *map(str, group.files), *arguments], cwd=root)
        counts = _counts(report)
    code = 0 if code == NOTHING_COLLECTED else code
    return Result(group, code, *counts, time.monotonic() - start)


def test(fast: bool, training: bool, arguments: Sequence[str]) -> int:
    """
    Run all tests, or those that the arguments name.

    :param fast: Only those that need no ROS.
    :param training: Those of the training too, even where torch is missing.
    :param arguments: For pytest.
    :return: 0 when all is well.
    :raises EmotionError: when this is no checkout.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / 'pytest.ini').is_file():
        raise EmotionError('the tests are run from a checkout of the project')
    if any(is_path(word) for word in arguments):
        return subprocess.call([sys.executable, '-m', 'pytest', '-rs', *arguments])
    style = 0 if arguments else check_style(root)
    trains = training or find_spec('torch') is not None
    groups = [
        group
        for group in find_groups(root)
        if not (fast and group.needs_ros) and (trains or group.package != 'emotion_training')
    ]
    results = []
    for group in groups:
        print(f'\n== {group.package}{" with ROS" if group.needs_ros else ""}', flush=True)
        results.append(run_group(root, group, arguments))
    print(summary(results))
    if style:
        print('The style check at the beginning FAILED: `ruff check --fix .` and `ruff format .` mend most of it.')
    if not trains:
        print('emotion_training was left out: `./emotion test --training` installs torch and tests it too')
    if not any(result.passed + result.failed + result.skipped for result in results):
        print('no test was run: is the filter right?')
        return 1
    return int(bool(style) or any(result.code for result in results))


def is_path(word: str) -> bool:
    """Tell an argument that names tests by their place from an option, or the value of one."""
    place = word.split('::')[0]
    return not word.startswith('-') and ('/' in place or place.endswith('.py')) and Path(place).exists()


def check_style(root: Path) -> int:
    """Check lint and format of the checkout; gives 0 when both are well."""
    ruff = [sys.executable, '-m', 'ruff']
    print('== style', flush=True)
    return subprocess.call([*ruff, 'check', '.'], cwd=root) or subprocess.call(
        [*ruff, 'format', '--check', '.'], cwd=root
    )


def summary(results: Sequence[Result]) -> str:
    """Give one line per group, and the sums."""
    lines = ['', f'{"":28}{"passed":>8}{"failed":>8}{"skipped":>8}{"seconds":>9}']
    for result in results:
        name = result.group.package + (' with ROS' if result.group.needs_ros else '')
        lines.append(
            f'{name:28}{result.passed:8}{result.failed:8}{result.skipped:8}{result.seconds:9.1f}'
            + ('' if result.code == 0 else '   FAILED')
        )
    lines.append(
        f'{"all":28}{sum(result.passed for result in results):8}{sum(result.failed for result in results):8}'
        f'{sum(result.skipped for result in results):8}{sum(result.seconds for result in results):9.1f}'
    )
    return '\n'.join(lines)


def _counts(report: Path) -> tuple[int, int, int]:
    """Read passed, failed and skipped from a report; all 0 when pytest died before writing it."""
    try:
        suite = ElementTree.parse(report).getroot().find('testsuite').attrib
    except (OSError, ElementTree.ParseError):
        return 0, 0, 0
    total, skipped = int(suite['tests']), int(suite['skipped'])
    failed = int(suite['failures']) + int(suite['errors'])
    return total - failed - skipped, failed, skipped
