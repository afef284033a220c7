"""Changes of faces keep what they must, and are the same for the same seed; needs torch."""

import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch, which the nodes do not')

from emotion_training.face_augmentation import augment


def _faces(count: int) -> torch.Tensor:
    """Give the same blotches several times."""
    small = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(1))
    face = 40 + 170 * torch.nn.functional.interpolate(small, size=48, mode='bicubic').clamp(0, 1)
    return face.round().to(torch.uint8).expand(count, -1, -1, -1)


def test_augmented_face_keeps_shape_and_type_and_the_original():
    faces = _faces(200)
    kept = faces.clone()
    changed = augment(faces, torch.Generator().manual_seed(0))
    assert changed.shape == (200, 1, 48, 48) and changed.min() >= 0 and changed.max() < 255.01
    assert torch.equal(faces, kept)
    assert len({image.numpy().tobytes() for image in changed}) == 200
    mirrored = (changed - faces.flip(3)).square().mean((1, 2, 3)) < (changed - faces).square().mean((1, 2, 3))
    assert 60 < mirrored.sum() < 140


@pytest.mark.parametrize('part', [1, 3, 7, 40])
def test_any_number_of_faces_is_augmented(part):
    faces = _faces(part)
    assert augment(faces, torch.Generator().manual_seed(0)).isfinite().all()


def test_same_seed_gives_the_same_faces():
    once, again, other = (augment(_faces(9), torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(once, again) and not torch.equal(once, other)
