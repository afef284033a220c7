"""From a model that others made in torch to a model folder: ONNX, checked against torch, with a card."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from emotion_core.errors import ModelError
from emotion_core.model_card import MODEL_FILE, AudioInput, ImageInput, ModelCard, sha256_of
from emotion_training import importing_huggingface as huggingface
from emotion_training.export import to_onnx
from emotion_training.importing import CONFIG_FILE, KNOWN_SOURCES, Found, Tell, Wish, settle_label_map
from emotion_training.importing_weights import Original, is_resnet50, load_resnet50, read_weights

TOLERANCE = (
    1e-3  # largest difference of a logit between torch and ONNX Runtime, in parts of the largest logit if above 1
)
NOTES = {
    'limits': 'Imported: how well it does on what the nodes of this project cut out has not been measured, nor who its '
    'training data has few of.',
    'not_for': 'What a person feels cannot be told from a face or a voice: do not use it to judge, select, monitor or '
    'diagnose people.',
}


def convert(found: Found, wish: Wish, folder: Path, tell: Tell) -> ModelCard:
    """
    Write a model as ``model.onnx`` and a card into a folder.

    :raises ModelError: when it cannot be loaded, or what was written differs from it.
    """
    original, facts = load(found, wish, tell)
    label_map = settle_label_map(original.labels, wish.label_map)
    path = folder / MODEL_FILE
    tell('Converting to ONNX')
    examples = list(make_examples(original.input))
    logging.getLogger('onnxscript').setLevel(logging.ERROR)  # it tells of each node that it cannot simplify
    try:
        to_onnx(original.network, {'input': torch.from_numpy(examples[0])}, path)
    except Exception as error:  # the exporter fails in its own and in any other way
        reason = str(error).strip().partition('\n')[0]
        raise ModelError(f"'{wish.source}' cannot be converted to ONNX: {reason}") from error
    difference = check_parity(original.network, path, examples)
    tell(f'The logits differ from those of the original by at most {difference:.1e}')
    card = ModelCard(
        name=wish.name,
        task=original.task,
        input=original.input,
        sha256=sha256_of(path),
        labels=original.labels,
        label_map=label_map,
        description=original.description,
        licence=original.licence,
        training={'source': wish.source if found.kind == 'hub' else found.path.name, **facts, 'command': wish.command},
        metrics={
            'parity': {'max_abs_difference': difference, 'inputs': len(examples), 'command': wish.command},
        },
        **NOTES,
    )
    card.save(folder)
    return card


def load(found: Found, wish: Wish, tell: Tell) -> tuple[Original, dict[str, str]]:
    """Load the original; gives more of where it comes from, too."""
    if found.kind == 'hub':
        tell(f'Downloading {wish.source}')
        with huggingface.downloaded(wish.source) as (folder, revision):
            return huggingface.load_folder(folder, wish.source, None, wish.labels), {'revision': revision}
    tell(f'Loading {found.path.name}')
    if found.kind == 'huggingface':
        return huggingface.load_folder(found.path, wish.source, None, wish.labels), {}
    weights, facts = read_weights(found.path).without_prefix(), {'source_sha256': sha256_of(found.path)}
    if is_resnet50(weights):
        return load_resnet50(weights, wish.source, wish.labels), facts
    for folder in (found.path.with_suffix(''), found.path.parent):
        if (folder / CONFIG_FILE).is_file():
            return huggingface.load_folder(folder, wish.source, weights, wish.labels), facts
    if any(name.startswith('wavlm.') for name in weights.state):
        raise ModelError(
            f"'{wish.source}' holds the weights of a WavLM, whose {CONFIG_FILE} is missing: put the file beside its "
            f"folder '{found.path.stem}', or into it"
        )
    raise ModelError(f"'{wish.source}' holds the weights of another network; what can be imported is {KNOWN_SOURCES}")


def make_examples(spec: ImageInput | AudioInput) -> Iterator[np.ndarray]:
    """Give random batches in the shape of an input: faces of coarse blotches, voices of several lengths."""
    rng = np.random.default_rng(0)
    if isinstance(spec, AudioInput):
        for seconds in (2.0, spec.min_seconds, 3.7):
            yield rng.normal(0, 0.1, (1, int(seconds * spec.sample_rate))).astype(np.float32)
        return
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (spec.mean, spec.std))
    for count in (1, 2):
        coarse = rng.random((count, len(spec.mean), -(-spec.height // 16), -(-spec.width // 16)), np.float32)
        pixels = coarse.repeat(16, axis=2).repeat(16, axis=3)[:, :, : spec.height, : spec.width]
        yield (pixels - mean) / std


@torch.inference_mode()
def check_parity(network: nn.Module, path: Path, batches: list[np.ndarray]) -> float:
    """
    Give the largest difference of a logit between torch and ONNX Runtime, relative where the logit is over 1.

    :raises ModelError: when it is larger than TOLERANCE, or a logit is no number.
    """
    expected = [network(torch.from_numpy(batch)).numpy() for batch in batches]
    if not all(np.isfinite(logits).all() for logits in expected):
        raise ModelError('the model gives outputs that are no numbers: its weights are damaged; it was not imported')
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    found = [session.run(None, {'input': batch})[0] for batch in batches]
    difference = max(
        float((np.abs(one - other) / np.maximum(np.abs(one), 1)).max()) for one, other in zip(expected, found)
    )
    if not difference <= TOLERANCE:
        raise ModelError(
            f'the converted model differs from the original by {difference:.1e}, more than {TOLERANCE:.0e}: it was not '
            'imported'
        )
    return difference
