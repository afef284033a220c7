"""Files of weights that others made: read without running what is in them, and recognised."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from emotion_core.emotions import EMOTIONS
from emotion_core.errors import ModelError
from emotion_core.model_card import AudioInput, ImageInput
from emotion_training.fer_resnet50 import ResNetRecipe
from emotion_training.importing import check_outputs
from emotion_training.vision import models

State = dict[str, Tensor]  # name of a parameter -> its values

STATE_NAMES = ('model_state_dict', 'state_dict', 'model', 'network', 'net', 'weights')  # in a dict around it
LABEL_NAMES = ('classes', 'class_names', 'labels', 'idx_to_class', 'id2label', 'class_to_idx', 'label2id')  # beside it
# Figures that training scripts keep beside the weights; reading them runs nothing.
HARMLESS = [
    np._core.multiarray.scalar,
    (np._core.multiarray.scalar, 'numpy.core.multiarray.scalar'),
    np.dtype,
    np.dtypes.Float32DType,
    np.dtypes.Float64DType,
    np.dtypes.Int64DType,
]
UNSAFE = re.compile(r'GLOBAL ([\w.]+)|Unsupported class (\S+)')  # in what torch says of such a file
OTHER_PICKLE = 'Unsupported operand'  # likewise, of a step of a pickle that torch.save does not write


@dataclass(frozen=True)
class Original:
    """A model as others made it."""

    network: nn.Module  # a batch in the shape of the input -> logits (batch, labels)
    task: str
    input: ImageInput | AudioInput
    labels: tuple[str, ...]  # of the logits, in order
    description: str
    licence: str = 'Not stated in the file: whoever made the weights, and the data they are learned from, decide.'


@dataclass(frozen=True)
class Weights:
    """What a file of weights holds."""

    state: State
    labels: tuple[str, ...]  # of the outputs, where the file says them

    def without_prefix(self) -> 'Weights':
        """Give them without what all names begin with, such as ``module.``."""
        state = self.state
        while all('.' in name for name in state) and len({name.partition('.')[0] for name in state}) == 1:
            state = {name.partition('.')[2]: tensor for name, tensor in state.items()}
        return Weights(state, self.labels)


def read_weights(path: Path) -> Weights:
    """
    Read a file of torch.save or safetensors: a state dict, or a dict around one.

    :raises ModelError: when it is damaged, holds code or other objects (none of which is run), or no state dict.
    """
    value = _read(path)
    candidates = {'': value} | {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}
    states = {key: item for key, item in candidates.items() if _is_state(item)}
    chosen = next((states[key] for key in ('', *STATE_NAMES, *states) if key in states), None)
    if chosen is None:
        raise ModelError(
            f"'{path}' holds no state dict: save one with torch.save(model.state_dict(), '{path.name}') where the "
            'model was trained'
        )
    return Weights(chosen, next((_labels(candidates[key]) for key in LABEL_NAMES if key in candidates), ()))


def _read(path: Path) -> Any:
    try:
        if path.suffix == '.safetensors':
            from safetensors.torch import load_file

            return load_file(path)
        with torch.serialization.safe_globals(HARMLESS), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # what fails is told below
            return torch.load(path, map_location='cpu', weights_only=True)
    except OSError as error:
        raise ModelError(f"'{path}' cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged file makes them fail in any way
        if unsafe := UNSAFE.search(str(error)):
            name = next(filter(None, unsafe.groups()))
            raise ModelError(
                f"'{path}' holds code or objects ({name}), not only weights: it was not loaded, and nothing in it was "
                f"run. Who trusts it saves the weights alone: torch.save(model.state_dict(), '{path.name}')"
            ) from error
        if OTHER_PICKLE in str(error):
            raise ModelError(
                f"'{path}' is a pickle, but none of torch.save: it was not loaded, and nothing in it was run. Who "
                f"trusts it saves the weights alone: torch.save(model.state_dict(), '{path.name}')"
            ) from error
        reason = str(error).strip().partition('\n')[0].partition('. ')[0]
        raise ModelError(f"'{path}' is damaged, or no file of weights: {reason}") from error


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) > 0
        and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())
    )


def _labels(value: Any) -> tuple[str, ...]:
    """Read a list of labels, or a dict between labels and numbers; () when it is neither."""
    if isinstance(value, dict):
        pairs = [(key, name) if isinstance(name, str) else (name, key) for key, name in value.items()]
        if sorted(str(number) for number, _ in pairs) != sorted(map(str, range(len(pairs)))):
            return ()
        value = [name for _, name in sorted(pairs, key=lambda pair: int(pair[0]))]
    return tuple(value) if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value) else ()


def is_resnet50(weights: Weights) -> bool:
    """Tell whether weights are those of torchvision's ResNet-50, whatever its last layer is."""
    return {'conv1.weight', 'layer4.2.conv3.weight'} <= weights.state.keys()


def load_resnet50(weights: Weights, source: str, labels: Sequence[str]) -> Original:
    """
    Make the network that the weights are of.

    :param labels: Of the outputs in order; by default those of the file, otherwise EMOTIONS.
    :raises ModelError: when there is not one output for each label, or the network is none of ResNet-50.
    """
    labels = tuple(labels) or weights.labels or EMOTIONS
    # What scripts put in place of the last layer is often dropout and a layer.
    state = {re.sub(r'^fc\.\d+\.(weight|bias)$', r'fc.\1', name): tensor for name, tensor in weights.state.items()}
    last = state.get('fc.weight')
    if last is None or last.ndim != 2 or len(state) < len(weights.state):
        raise ModelError(f"'{source}' is a ResNet-50 with another head than one linear layer: it cannot be converted")
    check_outputs(source, len(last), labels)
    network = models.resnet50(weights=None, num_classes=len(labels))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).partition('\n\t')[2].partition('. \n')[0]
        raise ModelError(f"'{source}' is not torchvision's ResNet-50: {reason[:200]}") from error
    description = "torchvision's ResNet-50 (He et al. 2016) for face crops, imported."
    return Original(network, 'fer', ResNetRecipe.input, labels, description)
