"""The training loop: schedule, averaged weights, checkpoints, progress; the same for faces and voices."""

import copy
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import nn

from emotion_core.emotions import EMOTIONS
from emotion_training.errors import TrainingError

BEST_FILE = 'best.pt'  # averaged weights of the epoch with the best validation macro-F1
LAST_FILE = 'last.pt'  # everything needed to go on
LOG_FILE = 'log.jsonl'  # one line an epoch

Batch = tuple[np.ndarray, np.ndarray]  # inputs (batch, ...) float32, labels (batch,) int64


@dataclass(frozen=True)
class Settings:
    """What decides a run beside its data and network; a run resumes only with equal settings."""

    epochs: int
    batch_size: int
    optimizer: str  # 'sgd' (Nesterov momentum 0.9) or 'adamw'
    learning_rate: float  # the peak
    weight_decay: float
    label_smoothing: float
    average_decay: float  # of the moving average of the weights, per step
    mixup: float = 0.0  # alpha of the Beta distribution (Zhang et al. 2018); 0 mixes nothing
    warm_up: float = 0.1  # part of all steps in which the learning rate rises
    seed: int = 0

    def learning_rate_at(self, progress: float) -> float:
        """Give the learning rate after a part of the run in [0, 1]: a linear rise, then half a cosine to 0."""
        if progress < self.warm_up:
            return self.learning_rate * (progress / self.warm_up)
        return self.learning_rate * (1 + math.cos(math.pi * (progress - self.warm_up) / (1 - self.warm_up))) / 2


def class_weights(labels: np.ndarray) -> np.ndarray:
    """Give each class the square root of its inverse frequency, mean 1: rare classes count more."""
    weights = np.bincount(labels, minlength=len(EMOTIONS)) ** -0.5
    return weights / weights.mean()


def fit(
    network: nn.Module,
    settings: Settings,
    folder: Path,
    steps: int,
    batches: Callable[[int], Iterator[Batch]],
    validate: Callable[[nn.Module], dict[str, Any]],
    weights: np.ndarray,
    console: Console,
) -> None:
    """
    Train, or go on where the run in ``folder`` stopped, and leave its best weights in BEST_FILE.

    Ctrl-C is safe at any time: BEST_FILE holds usable weights afterwards, and the same call goes on.

    :param steps: Batches of one epoch.
    :param batches: Gives the batches of an epoch; equal for equal epoch numbers.
    :param validate: Gives metrics, among them 'macro_f1', of a network in evaluation mode.
    :param weights: One weight for each class in the loss.
    :raises TrainingError: when the folder holds a run with other settings.
    :raises KeyboardInterrupt: after the checkpoint is safe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network.to(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimizer = _optimizer(network, settings)
    loss_of = nn.CrossEntropyLoss(torch.tensor(weights, dtype=torch.float32), label_smoothing=settings.label_smoothing)
    first, best = 0, -1.0
    if (folder / LAST_FILE).is_file():
        state = torch.load(folder / LAST_FILE, weights_only=True)
        if state['settings'] != asdict(settings):
            changed = [key for key, value in asdict(settings).items() if state['settings'].get(key) != value]
            raise TrainingError(
                f"'{folder}' holds a run with another {', '.join(changed)}: "
                f'give the same settings to go on, or another --out'
            )
        network.load_state_dict(state['network'])
        average.load_state_dict(state['average'])
        optimizer.load_state_dict(state['optimizer'])
        first, best = state['epochs_done'], state['best']
        console.print(f'Going on after epoch {first} of {settings.epochs} (best macro-F1 so far {best:.4f}).')

    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn('left'),
        TimeRemainingColumn(),
        TextColumn('loss {task.fields[loss]:.3f}'),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task('training', total=settings.epochs * steps, completed=first * steps, loss=float('nan'))
        try:
            for epoch in range(first, settings.epochs):
                started = time.monotonic()
                torch.manual_seed(settings.seed * 1000 + epoch)  # dropout and masks
                mixing = np.random.default_rng(settings.seed * 1000 + epoch)
                network.train()
                losses = []
                for step, (inputs, labels) in enumerate(batches(epoch)):
                    done = epoch * steps + step
                    for group in optimizer.param_groups:
                        group['lr'] = settings.learning_rate_at(done / (settings.epochs * steps))
                    inputs, labels = torch.from_numpy(inputs), torch.from_numpy(labels)
                    with torch.autocast('cpu', torch.bfloat16):
                        if settings.mixup:
                            share = mixing.beta(settings.mixup, settings.mixup)
                            other = torch.randperm(len(labels))
                            logits = network(share * inputs + (1 - share) * inputs[other])
                            loss = share * loss_of(logits, labels) + (1 - share) * loss_of(logits, labels[other])
                        else:
                            loss = loss_of(network(inputs), labels)
                    optimizer.zero_grad()
                    loss.backward()
                    nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                    optimizer.step()
                    _follow(average, network, min(settings.average_decay, (1 + done) / (10 + done)))
                    losses.append(loss.item())
                    progress.update(task, advance=1, loss=np.mean(losses[-50:]), description=f'epoch {epoch + 1}')
                metrics = validate(average)
                line = {
                    'epoch': epoch + 1,
                    'loss': round(float(np.mean(losses)), 4),
                    **metrics,
                    'seconds': round(time.monotonic() - started, 1),
                }
                if metrics['macro_f1'] > best:
                    best = metrics['macro_f1']
                    _save(
                        {'network': average.state_dict(), 'epoch': epoch + 1, 'validation': metrics}, folder / BEST_FILE
                    )
                _save(
                    {
                        'network': network.state_dict(),
                        'average': average.state_dict(),
                        'optimizer': optimizer.state_dict(),
                        'epochs_done': epoch + 1,
                        'best': best,
                        'settings': asdict(settings),
                    },
                    folder / LAST_FILE,
                )
                with open(folder / LOG_FILE, 'a') as log:
                    log.write(json.dumps(line) + '\n')
                progress.console.print('  '.join(f'{key} {value}' for key, value in line.items()))
        except KeyboardInterrupt:
            if not (folder / BEST_FILE).is_file():
                _save({'network': average.state_dict(), 'epoch': 0, 'validation': {}}, folder / BEST_FILE)
            console.print(f"Stopped. '{folder / BEST_FILE}' holds the best weights so far; the same command goes on.")
            raise


def load_best(network: nn.Module, folder: Path) -> dict[str, Any]:
    """
    Put the best weights of a run into a network and switch it to evaluation.

    :return: Their epoch and validation metrics.
    :raises TrainingError: when the run has none.
    """
    path = folder / BEST_FILE
    if not path.is_file():
        raise TrainingError(f"'{path}' is missing: train first (the same command without --only)")
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state['network'])
    network.eval()
    return {'epoch': state['epoch'], 'validation': state['validation']}


def _optimizer(network: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Decay only the weights that multiply; biases and norms stay free."""
    matrices = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{'params': matrices, 'weight_decay': settings.weight_decay}, {'params': vectors, 'weight_decay': 0.0}]
    if settings.optimizer == 'sgd':
        return torch.optim.SGD(groups, settings.learning_rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, settings.learning_rate)


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the averaged weights, and the statistics of the norms, towards the present ones."""
    for mean, present in zip(average.state_dict().values(), network.state_dict().values()):
        if mean.is_floating_point():
            mean.lerp_(present, 1 - decay)
        else:
            mean.copy_(present)


def _save(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint so that an interruption leaves the old one whole."""
    partial = path.with_suffix('.partial')
    torch.save(state, partial)
    os.replace(partial, path)
