from pathlib import Path

from emotion_bringup.testing import Group, Result, find_groups, run_group, summary


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_pure_tests_come_first_and_those_with_ros_are_apart(tmp_path):
    pure = write(tmp_path / 'src/b/test/test_pure.py', 'import numpy')
    node = write(tmp_path / 'src/b/test/test_node.py', 'from b.node import BNode')
    write(tmp_path / 'src/b/test/helper.py', '')
    core = write(tmp_path / 'src/emotion_core/test/test_core.py', '')
    bringup = write(tmp_path / 'launch/test/test_it.py', 'import rclpy')
    assert find_groups(tmp_path) == [
        Group('emotion_core', False, (core,)),
        Group('b', False, (pure,)),
        Group('b', True, (node,)),
        Group('emotion_bringup', True, (bringup,)),
    ]


def test_result_counts_what_happened(tmp_path):
    file = write(
        tmp_path / 'test_some.py',
        'import pytest\ndef test_a(): pass\ndef test_b(): assert False\ndef test_c(): pytest.skip("why")\n',
    )
    result = run_group(tmp_path, Group('some', False, (file,)), ['-p', 'no:cacheprovider'])
    assert (result.code, result.passed, result.failed, result.skipped) == (1, 1, 1, 1)
    nothing = run_group(tmp_path, Group('some', False, (file,)), ['-k', 'nosuch', '-p', 'no:cacheprovider'])
    assert (nothing.code, nothing.passed, nothing.failed) == (0, 0, 0)


def test_session_that_died_is_a_failure(tmp_path):
    file = write(tmp_path / 'test_some.py', 'import os\nos._exit(9)\n')
    assert run_group(tmp_path, Group('some', False, (file,)), []).code == 9


def test_process_left_behind_fails_the_session(tmp_path):
    root = Path(__file__).resolve().parents[2]
    for name in ('conftest.py', 'pytest.ini'):
        (tmp_path / name).symlink_to(root / name)
    file = write(tmp_path / 'test_some.py', 'import subprocess\ndef test_a(): subprocess.Popen(["sleep", "60"])\n')
    result = run_group(tmp_path, Group('some', False, (file,)), ['-p', 'no:cacheprovider'])
    assert (result.code, result.passed) == (1, 1)


def test_summary_names_the_group_that_failed():
    group = Group('some', True, ())
    lines = summary([Result(group, 1, 3, 1, 0, 2.0), Result(group, 0, 4, 0, 2, 1.0)]).splitlines()
    assert lines[2].split() == ['some', 'with', 'ROS', '3', '1', '0', '2.0', 'FAILED']
    assert lines[-1].split() == ['all', '7', '1', '2', '3.0']
