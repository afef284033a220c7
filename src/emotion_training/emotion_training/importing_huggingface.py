"""Models in the layout of Hugging Face, from a folder or the hub: for pictures, or for the waveform of a voice."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import huggingface_hub
import numpy as np
import torch
import transformers
import yaml
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING,
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING,
)

from emotion_core.errors import ModelError
from emotion_core.model_card import AudioInput, ImageInput
from emotion_training.importing import CONFIG_FILE, check_outputs
from emotion_training.importing_weights import Original, Weights, read_weights
from emotion_training.sound import SAMPLE_RATE

PREPROCESSOR_FILE = 'preprocessor_config.json'
SAFE, PICKLED = 'model*.safetensors', 'pytorch_model*.bin'
PAGE = 'README.md'  # its head names the licence
SIDE = 256  # of pictures by which a preprocessor is tried [px]

transformers.utils.logging.disable_progress_bar()  # commands have their own


class Waveforms(nn.Module):
    """A model of waveforms with what its feature extractor does before it."""

    def __init__(self, model: nn.Module, normalises: bool):
        """Normalise each waveform to mean 0 and variance 1, or leave it."""
        super().__init__()
        self.model, self.normalises = model, normalises

    def forward(self, samples: Tensor) -> Tensor:
        """Map waveforms (batch, samples) to logits (batch, labels)."""
        if self.normalises:
            centred = samples - samples.mean(1, keepdim=True)
            samples = centred / (centred.square().mean(1, keepdim=True) + 1e-7).sqrt()
        return self.model(input_values=samples).logits


class Pictures(nn.Module):
    """A model of pictures as a function of one tensor."""

    def __init__(self, model: nn.Module):
        """Wrap a model."""
        super().__init__()
        self.model = model

    def forward(self, faces: Tensor) -> Tensor:
        """Map faces (batch, channels, h, w) to logits (batch, labels)."""
        return self.model(pixel_values=faces).logits


@contextmanager
def downloaded(model: str) -> Iterator[tuple[Path, str]]:
    """
    Download a model of the hub to a folder that is gone after the block; gives it and the revision.

    :raises ModelError: when there is no such model, or no network.
    """
    with TemporaryDirectory(prefix='emotion_hub_') as folder:
        try:
            info = huggingface_hub.HfApi().model_info(model)
            names = [file.rfilename for file in info.siblings or ()]
            weights = SAFE if any(name.endswith('.safetensors') for name in names) else PICKLED
            huggingface_hub.snapshot_download(
                model,
                revision=info.sha,
                local_dir=folder,
                allow_patterns=[CONFIG_FILE, PREPROCESSOR_FILE, PAGE, weights, f'{weights}.index.json'],
            )
        except huggingface_hub.errors.RepositoryNotFoundError as error:
            raise ModelError(f"the hub has no model '{model}', or not for everybody") from error
        except (OSError, ValueError, huggingface_hub.errors.HTTPError) as error:
            raise ModelError(
                f"cannot download '{model}' from the hub ({type(error).__name__}): is there a network? A folder that "
                'was downloaded elsewhere can be imported by its path'
            ) from error
        yield Path(folder), info.sha


def load_folder(folder: Path, source: str, weights: Weights | None, labels: tuple[str, ...]) -> Original:
    """
    Make the network of a folder.

    :param source: What it is called in messages.
    :param weights: Those to use in place of the folder's own.
    :param labels: Of the outputs in order; by default what the folder says.
    :raises ModelError: when it is not for pictures or voices, has other outputs than labels, or not all weights.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, huggingface_hub.errors.StrictDataclassError) as error:
        reason = str(error).strip().partition('\n')[0]
        raise ModelError(f"'{source}' has a {CONFIG_FILE} that describes no model known here: {reason}") from error
    preprocessor = read_json(folder / PREPROCESSOR_FILE)
    if weights is None and not any(folder.glob(SAFE)):
        weights = _pickled(folder, source)
    if type(config) in MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING:
        task, architecture = 'ser', MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING[type(config)]
        spec, wrap = _audio(config, preprocessor, source)
    elif type(config) in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
        task, architecture = 'fer', MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING[type(config)]
        architecture = architecture[0] if isinstance(architecture, tuple) else architecture
        spec, wrap = picture_input(config, folder, source), Pictures
    else:
        raise ModelError(f"'{source}' is a model of type {config.model_type}, neither for pictures nor for voices")
    if weights is not None and (last := weights.state.get('classifier.weight')) is not None:
        config.num_labels = len(last)
    said = tuple(config.id2label[i] for i in range(config.num_labels))
    labels = labels or (weights.labels if weights else ()) or said
    check_outputs(source, config.num_labels, labels)
    network = wrap(_network(architecture, config, folder, weights, source))
    description = f'{architecture.__name__} ({config.model_type}), imported.'
    page = _page(folder / PAGE)
    licence = {'licence': f'As its source states: {page["license"]}'} if page.get('license') else {}
    return Original(network, task, spec, labels, description, **licence)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from warning of weights that are missing, or others: whoever loads them tells it."""
    before = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers.utils.logging.set_verbosity(before)


@quiet()
def _network(
    architecture: Any,
    config: transformers.PretrainedConfig,
    folder: Path,
    weights: Weights | None,
    source: str,
) -> nn.Module:
    try:
        model, info = architecture.from_pretrained(
            None if weights else folder,
            config=config,
            state_dict=weights.state if weights else None,
            use_safetensors=None if weights else True,
            local_files_only=True,
            attn_implementation='eager',  # the one that every exporter takes
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # they are told below
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(f"'{source}' cannot be loaded: {str(error).strip().partition(chr(10))[0]}") from error
    except SafetensorError as error:
        raise ModelError(f"'{source}' has damaged weights ({error}): get them again") from error
    if missing := sorted(info['missing_keys']):
        raise ModelError(
            f"'{source}' lacks {len(missing)} of the weights of {architecture.__name__}, such as {missing[-1]}"
        )
    if mismatched := sorted(map(str, info['mismatched_keys'])):
        raise ModelError(f"'{source}' has weights of other shapes than {CONFIG_FILE} says, such as {mismatched[0]}")
    if unexpected := sorted(info['unexpected_keys']):
        raise ModelError(
            f"'{source}' has {len(unexpected)} weights that {architecture.__name__} has not, such as {unexpected[0]}"
        )
    return model


def _audio(
    config: transformers.PretrainedConfig, preprocessor: dict[str, Any], source: str
) -> tuple[AudioInput, Callable[[nn.Module], nn.Module]]:
    if not hasattr(config, 'feat_extract_norm'):
        raise ModelError(
            f"'{source}' ({config.model_type}) takes spectrograms: only models that take the waveform can be imported, "
            'such as WavLM, wav2vec 2.0 and HuBERT'
        )
    rate = preprocessor.get('sampling_rate', SAMPLE_RATE)
    if rate != SAMPLE_RATE:
        raise ModelError(f"'{source}' takes sound of {rate} Hz: the speech node gives {SAMPLE_RATE} Hz")
    wrap = partial(Waveforms, normalises=normalises(config, preprocessor))
    return AudioInput(rate), wrap


def normalises(config: transformers.PretrainedConfig, preprocessor: dict[str, Any]) -> bool:
    """Tell whether waveforms are brought to mean 0 and variance 1 for a model."""
    # Where it is not said: models with group normalisation do not mind, the others were trained with it.
    return preprocessor.get('do_normalize', config.feat_extract_norm == 'layer')


def picture_input(config: transformers.PretrainedConfig, folder: Path, source: str) -> ImageInput:
    """
    Find out what the preprocessor in a folder does, by pictures of one colour each: its kinds have rules of their own.

    :raises ModelError: when there is none, or it does more than scale and shift the channels.
    """
    if not (folder / PREPROCESSOR_FILE).is_file():
        raise ModelError(f"'{source}' has no {PREPROCESSOR_FILE}, which says how it takes pictures: get that file, too")
    channels = getattr(config, 'num_channels', 3)
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        # Crops of faces have no border to lose: what it would cut off is not cut off here.
        seen = [
            processor(np.full((SIDE, SIDE, channels), colour, np.uint8), input_data_format='channels_last')
            for colour in (np.zeros(channels), *(255 * np.eye(channels)))
        ]
        black, *others = (np.asarray(values['pixel_values'][0]) for values in seen)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        reason = str(error).strip().partition('\n')[0]
        raise ModelError(f"'{source}' has a {PREPROCESSOR_FILE} that describes none known here: {reason}") from error
    _, height, width = black.shape
    middle = (slice(None), height // 2, width // 2)
    gain = np.stack([other[middle] - black[middle] for other in others], axis=1)  # (channel, colour)
    order = {'rgb': [0, 1, 2], 'bgr': [2, 1, 0]} if channels == 3 else {'gray': [0]}
    for color, colours in order.items():
        scale = gain[range(channels), colours]
        if np.count_nonzero(gain) == channels and scale.all():
            mean, std = -black[middle] / scale, 1 / scale
            return ImageInput(width, height, color, *(tuple(map(float, values.round(6))) for values in (mean, std)))
    raise ModelError(f"'{source}' has a {PREPROCESSOR_FILE} that does more to a picture than a mean and a variance")


def _pickled(folder: Path, source: str) -> Weights:
    """Read the weights of a folder that has none in safetensors."""
    files = sorted(folder.glob(PICKLED))
    if not files:
        raise ModelError(f"'{source}' has no weights: neither {SAFE} nor {PICKLED}")
    state: dict[str, Tensor] = {}
    for file in files:
        state |= read_weights(file).state
    return Weights(state, ())


def read_json(path: Path) -> dict[str, Any]:
    """Read a file beside a model; {} when there is none."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"'{path.name}' beside the model cannot be read: {error}") from error
    return value if isinstance(value, dict) else {}


def _page(path: Path) -> dict[str, Any]:
    """Read the head of the page of a model; {} when there is none."""
    try:
        head = path.read_text().split('---\n')[1]
        value = yaml.safe_load(head)
    except (OSError, IndexError, ValueError, yaml.YAMLError):
        return {}
    return value if isinstance(value, dict) else {}
