"""Where the real corpora are, when they are there."""

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[4] / 'shared' / 'data'


@pytest.fixture(scope='session')
def data() -> Path:
    """The folder of the corpora; the test is skipped when it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"the corpora are not on this machine ('{DATA}')")
    return DATA


@pytest.fixture(scope='session')
def pretrained() -> None:
    """The weights that the encoder of speech begins with can be fetched; the test is skipped when they cannot."""
    pytest.importorskip('torch', reason='training needs PyTorch, which running a model does not')
    from emotion_training.errors import TrainingError
    from emotion_training.speech_encoder import SpeechEncoder

    try:
        SpeechEncoder().load_pretrained()
    except TrainingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope='session')
def pretrained_faces() -> None:
    """The weights that the encoder of faces begins with can be fetched; the test is skipped when they cannot."""
    pytest.importorskip('torch', reason='training needs PyTorch, which running a model does not')
    from emotion_training.errors import TrainingError
    from emotion_training.face_encoder import fetch_weights

    try:
        fetch_weights()
    except TrainingError as error:
        pytest.skip(str(error))
