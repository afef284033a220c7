"""Several processes train as one does; needs torch."""

import json
import subprocess
import sys

import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch, which the nodes do not')

from emotion_training import trainer

RUN = """
import sys
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from emotion_training import trainer
from emotion_training.parallel import PROCESSES, own

torch.set_num_threads(1)
trainer.half_precision = lambda place: None  # sums in another order would differ more than what is looked for
labels = np.arange(96) % 6
inputs = np.eye(6, dtype=np.float32)[labels] + np.random.default_rng(0).normal(0, 0.2, (96, 6)).astype(np.float32)


def batches(epoch):
    for rows in np.random.default_rng(epoch).permutation(96).reshape(-1, 24):
        mine = own(rows)
        assert len(mine) == 24 // PROCESSES
        yield inputs[mine], labels[mine]


def validate(model):
    time.sleep(0.5)
    return {'macro_f1': float((model(inputs).argmax(axis=1) == labels).mean())}


settings = trainer.Settings('data', 3, 24, 'sgd', 0.3, 0.0, 0.0, 0.5)
for name in ('teacher', 'student'):  # a recipe trains several networks
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.ReLU(), torch.nn.Linear(12, 6))
    run = Path(sys.argv[1]) / name
    trainer.fit(network, settings, run, 4, batches, validate, np.ones(6), Console(quiet=True))
    assert torch.load(run / trainer.LAST_FILE, weights_only=True)['epochs_done'] == 3, 'all is written for each process'
"""
TORCHRUN = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2']


def test_two_processes_make_the_weights_that_one_makes(tmp_path):
    script = tmp_path / 'run.py'
    script.write_text(RUN)
    for name, launcher in (('one', []), ('two', TORCHRUN)):
        command = [sys.executable, *launcher, str(script), str(tmp_path / name)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert result.returncode == 0, result.stderr
    for network in ('teacher', 'student'):
        one, two = (
            torch.load(tmp_path / name / network / trainer.LAST_FILE, weights_only=True)['network']
            for name in ('one', 'two')
        )
        for name in one:
            assert torch.allclose(one[name], two[name], atol=1e-5), name
        lines = (tmp_path / 'two' / network / trainer.LOG_FILE).read_text().splitlines()
        assert [json.loads(line)['epoch'] for line in lines] == [1, 2, 3]  # one process writes
