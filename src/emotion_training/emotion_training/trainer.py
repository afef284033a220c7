"""The training loop: phases, schedule, averaged weights, checkpoints, progress; the same for faces and voices."""

import atexit
import copy
import ctypes
import json
import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from emotion_core.emotions import EMOTIONS
from emotion_training.errors import TrainingError
from emotion_training.parallel import LOCAL_RANK, PROCESSES, RANK
from emotion_training.recipe import LOG_FILE, ModelFunction

BEST_FILE = 'best.pt'  # averaged weights of the epoch with the best validation macro-F1
LAST_FILE = 'last.pt'  # everything needed to go on

# Inputs (batch, ...) float32, and labels (batch,) int64 or what is told of each (batch, 6); on any device.
Batch = tuple[np.ndarray | Tensor, np.ndarray | Tensor]
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt(3)
TOLD = 20  # steps of which the loss is told, in the mean; on a GPU after as many, for to ask for it makes it wait


@dataclass(frozen=True)
class Phase:
    """A part of a run in which some of the network learns; the learning rate rises and falls once in it."""

    start: float  # part of the run's epochs that are done when it begins
    rates: dict[str, float]  # first letters of a parameter's name -> share of the learning rate; 0 freezes

    def rate(self, parameter: str) -> float:
        """Give the share of the learning rate for a parameter: that of the longest entry its name begins with."""
        return self.rates[max((prefix for prefix in self.rates if parameter.startswith(prefix)), key=len)]


@dataclass(frozen=True)
class Settings:
    """What decides a run beside its network; a run resumes only with equal settings."""

    data: str  # a hash of what it learns from and is validated on
    epochs: int
    batch_size: int
    optimizer: str  # 'sgd' (Nesterov momentum 0.9) or 'adamw'
    learning_rate: float  # the peak
    weight_decay: float
    label_smoothing: float
    average_decay: float  # of the moving average of the weights, per step
    warm_up: float = 0.1  # part of a phase's steps in which the learning rate rises
    phases: tuple[Phase, ...] = (Phase(0.0, {'': 1.0}),)  # in order, the first from 0 on; by default all learns
    seed: int = 0

    def phase_at(self, epochs_done: float) -> tuple[int, float]:
        """
        Give which phase it is, and how much of it is done in [0, 1); a phase begins with an epoch.

        :param epochs_done: In [0, epochs).
        """
        starts = [math.ceil(phase.start * self.epochs) for phase in self.phases]
        number = sum(start <= epochs_done for start in starts) - 1
        first, end = starts[number], [*starts, self.epochs][number + 1]
        return number, (epochs_done - first) / (end - first)

    def learning_rate_at(self, progress: float) -> float:
        """Give the learning rate after a part of a phase in [0, 1]: a linear rise, then half a cosine to 0."""
        if progress < self.warm_up:
            return self.learning_rate * (progress / self.warm_up)
        return self.learning_rate * (1 + math.cos(math.pi * (progress - self.warm_up) / (1 - self.warm_up))) / 2


def class_weights(labels: np.ndarray) -> np.ndarray:
    """
    Give each class the square root of its inverse frequency, mean 1: rare classes count more.

    :raises TrainingError: when a class does not occur.
    """
    counts = np.bincount(labels, minlength=len(EMOTIONS))
    if not counts.all():
        absent = ', '.join(name for name, count in zip(EMOTIONS, counts) if count == 0)
        raise TrainingError(f'no example to train on is {absent}: add data that has all six emotions')
    weights = counts**-0.5
    return weights / weights.mean()


def check_steps(steps: int, batch_size: int) -> None:
    """Raise TrainingError when there is no whole batch to train on."""
    if steps < 1:
        raise TrainingError(
            f'too little to train on: at least {batch_size} examples are needed, as many as a batch has'
        )


def device() -> torch.device:
    """Give this process's GPU where there is one, else the CPU."""
    return torch.device('cuda', LOCAL_RANK) if torch.cuda.is_available() else torch.device('cpu')


def half_precision(place: torch.device) -> torch.dtype | None:
    """Give the half precision that a device is faster in than in float32; None for most CPUs, which only emulate it."""
    if place.type == 'cuda':
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    known = torch.cpu.get_capabilities()
    return torch.bfloat16 if known.get('avx512_bf16') or known.get('amx_bf16') else None


def autocast(place: torch.device) -> torch.autocast:
    """Give what makes a device calculate in its half precision, where it has one."""
    half = half_precision(place)
    return torch.autocast(place.type, half, enabled=half is not None)


def keep_memory() -> None:
    """
    Let this process keep the memory that it frees for the next step, where the C library can.

    glibc gives large pieces back to the kernel, which hands them out anew page by page: on a CPU half the time of a
    network of large maps, and more in a virtual machine.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, 'mallopt'):
        library.mallopt(M_MMAP_MAX, 0)
        library.mallopt(M_TRIM_THRESHOLD, -1)


def as_function(network: nn.Module) -> ModelFunction:
    """Give a network as a function of arrays, wherever its weights are; it calculates as in training."""
    place = next(network.parameters()).device

    @torch.inference_mode()
    def logits(batch: np.ndarray) -> np.ndarray:
        with autocast(place):
            said = network(torch.from_numpy(batch).to(place))
        return said.float().cpu().numpy()

    return logits


def fit(
    network: nn.Module,
    settings: Settings,
    folder: Path,
    steps: int,
    batches: Callable[[int], Iterable[Batch]],
    validate: Callable[[ModelFunction], dict[str, Any]],
    weights: np.ndarray,
    console: Console,
) -> None:
    """
    Train, or go on where the run in ``folder`` stopped, and leave its best weights in BEST_FILE.

    It uses the GPU where there is one. Started by ``torchrun`` its processes share each batch (see ``parallel``) and
    step together; the first one validates and writes, and none returns before it has. Ctrl-C is safe at any time:
    BEST_FILE holds usable weights afterwards, and the same call goes on.

    :param steps: Batches of one epoch.
    :param batches: Gives this process's part of the batches of an epoch; equal for equal epoch numbers.
    :param validate: Gives metrics, among them 'macro_f1', of a network in evaluation mode.
    :param weights: One weight for each class in the loss.
    :raises TrainingError: when the folder holds a run with other settings, an epoch has no batch, or a batch has less
        examples than there are processes.
    :raises KeyboardInterrupt: after the checkpoint is safe.
    """
    check_steps(steps, settings.batch_size)
    if PROCESSES > settings.batch_size:
        raise TrainingError(
            f'{PROCESSES} processes cannot share a batch of {settings.batch_size}: start at most {settings.batch_size}'
        )
    place = device()
    if place.type == 'cpu':
        keep_memory()
    if (
        PROCESSES > 1 and not distributed.is_initialized()
    ):  # once: a second group of the same processes never comes about
        if place.type == 'cuda':
            torch.cuda.set_device(place)  # what the processes tell each other goes through it
        distributed.init_process_group('nccl' if place.type == 'cuda' else 'gloo')
        atexit.register(distributed.destroy_process_group)
    folder.mkdir(parents=True, exist_ok=True)
    network.to(place, memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    learns = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    optimizer, rates = _optimizer(network, settings)
    cast = autocast(place)
    scaler = torch.amp.GradScaler(place.type, enabled=half_precision(place) is torch.float16)  # its range is small
    loss_of = nn.CrossEntropyLoss(
        torch.tensor(weights, dtype=torch.float32, device=place), label_smoothing=settings.label_smoothing
    )
    first, best, phase = 0, -1.0, None
    every = TOLD if place.type == 'cuda' else 1
    state = _resume(folder / LAST_FILE, settings)
    if state is not None:
        network.load_state_dict(state['network'])
        average.load_state_dict(state['average'])
        optimizer.load_state_dict(state['optimizer'])
        scaler.load_state_dict(state['scaler'])
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
        epoch = first
        try:
            for epoch in range(first, settings.epochs):
                started = time.monotonic()
                # Of dropout and masks: other ones in each process.
                torch.manual_seed((settings.seed * 1000 + epoch) * PROCESSES + RANK)
                if settings.phase_at(epoch)[0] != phase:
                    phase, _ = settings.phase_at(epoch)
                    model = _begin(settings.phases[phase], network, learns)
                losses = []
                for step, (inputs, labels) in enumerate(batches(epoch)):
                    done = epoch * steps + step
                    rate = settings.learning_rate_at(settings.phase_at(done / steps)[1])
                    for group, shares in zip(optimizer.param_groups, rates):
                        group['lr'] = rate * shares[phase]
                    inputs, labels = torch.as_tensor(inputs).to(place), torch.as_tensor(labels).to(place)
                    with cast:
                        loss = loss_of(model(inputs), labels)
                    optimizer.zero_grad()
                    scaler.scale(loss).backward()
                    scaler.unscale_(optimizer)
                    nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                    scaler.step(optimizer)
                    scaler.update()
                    _follow(average, network, min(settings.average_decay, (1 + done) / (10 + done)))
                    losses.append(loss.detach())
                    if step % every == 0:
                        recent = torch.stack(losses[-TOLD:]).mean().item()
                        progress.update(task, completed=done + 1, loss=recent, description=f'epoch {epoch + 1}')
                if RANK > 0:
                    continue
                metrics = validate(as_function(average))
                line = {
                    'epoch': epoch + 1,
                    'loss': round(torch.stack(losses).mean().item(), 4),
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
                        'scaler': scaler.state_dict(),
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
            if RANK == 0 and not (folder / BEST_FILE).is_file():
                _save({'network': average.state_dict(), 'epoch': 0, 'validation': {}}, folder / BEST_FILE)
            told = (
                f"Stopped. '{folder / BEST_FILE}' holds the best weights so far; the same command goes on after epoch "
                f'{epoch}.'
                if epoch
                else f"Stopped in the first epoch: '{folder / BEST_FILE}' holds what was learned by now, not "
                'validated; the same command begins again.'
            )
            console.print(told, markup=False)
            raise
    if PROCESSES > 1:
        distributed.barrier()  # the first one may still validate and write


def load_best(network: nn.Module, folder: Path) -> dict[str, Any]:
    """
    Put the best weights of a run into a network, on the CPU, and switch it to evaluation.

    :return: Their epoch and validation metrics.
    :raises TrainingError: when the run has none.
    """
    path = folder / BEST_FILE
    if not path.is_file():
        raise TrainingError(f"'{path}' is missing: train first (the same command without --only)")
    state = torch.load(path, map_location='cpu', weights_only=True)
    network.cpu().load_state_dict(state['network'])
    network.eval()
    return {'epoch': state['epoch'], 'validation': state['validation']}


def _optimizer(network: nn.Module, settings: Settings) -> tuple[torch.optim.Optimizer, list[tuple[float, ...]]]:
    """
    Decay only the weights that multiply; biases and norms stay free.

    :return: The optimizer, and for each of its groups the share of the learning rate in each phase.
    """
    groups: dict[tuple, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            rates = tuple(phase.rate(name) for phase in settings.phases)
            decay = settings.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rates, decay), []).append(parameter)
    described = [{'params': parameters, 'weight_decay': decay} for (_, decay), parameters in groups.items()]
    if settings.optimizer == 'sgd':
        optimizer = torch.optim.SGD(described, settings.learning_rate, momentum=0.9, nesterov=True)
    else:
        optimizer = torch.optim.AdamW(described, settings.learning_rate)
    return optimizer, [rates for rates, _ in groups]


def _begin(phase: Phase, network: nn.Module, learns: set[str]) -> nn.Module:
    """Freeze what does not learn in a phase, its norms and dropout too; gives what a step calls."""
    network.train()
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in learns and phase.rate(name) > 0)
    for module in network.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()
    if PROCESSES == 1:
        return network
    return DistributedDataParallel(network, device_ids=[LOCAL_RANK] if torch.cuda.is_available() else None)


def _resume(path: Path, settings: Settings) -> dict[str, Any] | None:
    """Read where the run stopped, in the first process for all of them; None when there is nothing."""
    states = [torch.load(path, map_location='cpu', weights_only=True) if RANK == 0 and path.is_file() else None]
    if PROCESSES > 1:
        distributed.broadcast_object_list(states)
    state = states[0]
    if state is not None and state['settings'] != asdict(settings):
        changed = [key for key, value in asdict(settings).items() if state['settings'].get(key) != value]
        raise TrainingError(
            f"'{path.parent}' holds a run that differs in {', '.join(changed)}: "
            f'give the same to go on, or another --out'
        )
    return state


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
