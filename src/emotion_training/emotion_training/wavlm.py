"""WavLM (Chen et al. 2022) with one output for each emotion, begun from what it has learned elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError

import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from emotion_core.emotions import EMOTIONS
from emotion_core.errors import ModelError
from emotion_training.errors import TrainingError
from emotion_training.importing import CONFIG_FILE, HUB_ID
from emotion_training.importing_huggingface import (
    PREPROCESSOR_FILE,
    Waveforms,
    downloaded,
    normalises,
    quiet,
    read_json,
)
from emotion_training.sound import SAMPLE_RATE

BODY = 'model.wavlm.'  # what begins the names of the parameters that are not the head
ENCODER = f'{BODY}feature_extractor.'  # the convolutions that read the waveform
FRESH = ('projector.', 'classifier.', 'wavlm.masked_spec_embed')  # what may begin with random weights


@quiet()
def start(source: str) -> Waveforms:
    """
    Make the network with pretrained weights and a random head.

    :param source: Folder or hub id of a WavLM of Hugging Face.
    :raises TrainingError: when it cannot be had, is no WavLM, or lacks weights.
    """
    with _folder(source) as folder:
        try:
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, StrictDataclassError) as error:
            raise TrainingError(f"'{source}' holds no model of Hugging Face ({CONFIG_FILE} cannot be read)") from error
        if config.model_type != 'wavlm':
            raise TrainingError(f"'{source}' is a model of type {config.model_type}: name a WavLM with --weights")
        config.id2label = dict(enumerate(EMOTIONS))
        config.label2id = {name: number for number, name in config.id2label.items()}
        config.layerdrop = 0.0  # several processes step together only through all layers
        normalised = normalises(config, read_json(folder / PREPROCESSOR_FILE))
        try:
            model, loaded = transformers.WavLMForSequenceClassification.from_pretrained(
                folder,
                config=config,
                local_files_only=True,
                dtype='float32',
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
        except UnpicklingError as error:
            raise TrainingError(f"the weights of '{source}' are damaged, or hold code, which is not run") from error
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            reason = str(error).strip().partition('\n')[0]
            raise TrainingError(f"the weights of '{source}' cannot be loaded: {reason}") from error
    missing = [name for name in loaded['missing_keys'] if not name.startswith(FRESH)]
    if missing:
        raise TrainingError(f"'{source}' lacks {len(missing)} of the weights of WavLM, such as {missing[0]}")
    return _waveforms(model, normalised)


def describe(network: Waveforms, run: Path) -> None:
    """Write into ``run`` what ``from_run`` and others need beside the weights."""
    run.mkdir(parents=True, exist_ok=True)
    network.model.config.save_pretrained(run)
    transformers.Wav2Vec2FeatureExtractor(
        sampling_rate=SAMPLE_RATE, do_normalize=network.normalises, return_attention_mask=False
    ).save_pretrained(run)


def from_run(run: Path) -> Waveforms:
    """
    Make the network of a run with random weights.

    :raises TrainingError: when nothing was begun there.
    """
    if not (run / CONFIG_FILE).is_file():
        raise TrainingError(f"'{run / CONFIG_FILE}' is missing: train first (the same command without --only)")
    config = transformers.WavLMConfig.from_pretrained(run, local_files_only=True)
    normalised = normalises(config, read_json(run / PREPROCESSOR_FILE))
    return _waveforms(transformers.WavLMForSequenceClassification(config), normalised)


def save(network: Waveforms, run: Path) -> None:
    """Put the weights beside the configuration: ``run`` is then a model of Hugging Face."""
    network.model.save_pretrained(run)


def _waveforms(model: transformers.WavLMForSequenceClassification, normalised: bool) -> Waveforms:
    """Wrap the network; what no step uses does not learn, for several processes step together only through the rest."""
    if not (model.config.apply_spec_augment and model.config.mask_time_prob > 0) and hasattr(
        model.wavlm, 'masked_spec_embed'
    ):
        model.wavlm.masked_spec_embed.requires_grad_(False)
    return Waveforms(model, normalised)


@contextmanager
def _folder(source: str) -> Iterator[Path]:
    if Path(source).is_dir():
        yield Path(source)
        return
    if not HUB_ID.fullmatch(source):
        raise TrainingError(f"there is no folder '{source}': name a WavLM of Hugging Face, its folder or hub id")
    try:
        with downloaded(source) as (folder, _):
            yield folder
    except ModelError as error:
        raise TrainingError(
            f"'{source}' cannot be had from the Hugging Face hub ({error.__cause__ or error}): download it on a "
            f'machine with a network, and name its folder with --weights'
        ) from error
