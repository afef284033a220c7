"""Random changes to training faces that the world makes: place in the crop, light, optics, sensor, cover."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

SHRUNK = 6  # sizes down to which the faces of a batch that lose detail go, each as many


def augment(faces: Tensor, random: torch.Generator) -> Tensor:
    """
    Change gray faces at random, each in its own way; on the GPU where they are there.

    :param faces: In [0, 255], (n, 1, side, side).
    :param random: On the same device.
    :return: In [0, 255], of the same shape.
    """
    faces = _frame(faces.float(), random)
    _change_some(faces, 0.6, _light, random)
    for way in (_blur, _shrink, _noise):
        _change_some(faces, 0.4 / 3, way, random)
    _change_some(faces, 0.25, _cover, random)
    return faces


def _change_some(
    faces: Tensor, part: float, way: Callable[[Tensor, torch.Generator], Tensor], random: torch.Generator
) -> None:
    rows = torch.randperm(len(faces), generator=random, device=faces.device)[: round(part * len(faces))]
    if len(rows):
        faces[rows] = way(faces[rows], random)


def _uniform(faces: Tensor, random: torch.Generator, low: float, high: float) -> Tensor:
    """Draw one number for each face, (n, 1, 1, 1)."""
    return low + (high - low) * torch.rand(len(faces), 1, 1, 1, generator=random, device=faces.device)


def _frame(faces: Tensor, random: torch.Generator) -> Tensor:
    """Flip, turn, scale and shift: the crop of a detector is never exact."""
    draw = [_uniform(faces, random, -1, 1)[:, 0, 0, 0] for _ in range(5)]
    angle = draw[0] * math.radians(15)
    scale = torch.exp(draw[1] * math.log(1.2))
    wide = torch.exp(draw[2] * math.log(1.07))  # faces are wider or narrower than the corpus's
    shift = 0.16 * torch.stack(draw[3:], 1)  # of half the side
    flip = torch.sign(_uniform(faces, random, -1, 1)[:, 0, 0, 0])
    rows = torch.stack(
        [
            torch.stack([angle.cos() * flip / wide, -angle.sin(), shift[:, 0]], 1),
            torch.stack([angle.sin() * flip / wide, angle.cos(), shift[:, 1]], 1),
        ],
        1,
    )
    rows[:, :, :2] /= scale[:, None, None]
    grid = functional.affine_grid(rows, list(faces.shape), align_corners=False)
    return functional.grid_sample(faces, grid, 'bilinear', 'border', align_corners=False)


def _light(faces: Tensor, random: torch.Generator) -> Tensor:
    """Change gamma, contrast and brightness."""
    values = (faces / 255).clamp(1e-4, 1) ** torch.exp(_uniform(faces, random, -0.6, 0.6))
    values = (values - 0.5) * _uniform(faces, random, 0.6, 1.4) + 0.5 + _uniform(faces, random, -0.2, 0.2)
    return (values * 255).clamp(0, 255)


def _blur(faces: Tensor, random: torch.Generator) -> Tensor:
    deviation = _uniform(faces, random, 0.4, 1.6)
    reach = torch.arange(-4, 5, device=faces.device)
    weights = torch.exp(-reach.square() / (2 * deviation.square()))
    weights = (weights / weights.sum(3, keepdim=True))[..., None]  # (n, 1, 1, 9, 1)
    for axis in (2, 3):
        padding = (4, 4, 0, 0) if axis == 3 else (0, 0, 4, 4)
        windows = functional.pad(faces, padding, 'replicate').unfold(axis, 9, 1)
        faces = (windows @ weights)[..., 0]
    return faces


def _shrink(faces: Tensor, random: torch.Generator) -> Tensor:
    """Lose the detail that far faces do not have."""
    side = faces.shape[-1]
    sizes = torch.linspace(side / 3, side * 5 / 6, SHRUNK).round().int().tolist()
    parts = [
        functional.interpolate(functional.interpolate(part, size=small, mode='area'), size=side, mode='bilinear')
        for part, small in zip(faces.tensor_split(SHRUNK), sizes)
        if len(part)
    ]
    return torch.cat(parts)


def _noise(faces: Tensor, random: torch.Generator) -> Tensor:
    noise = torch.randn(faces.shape, generator=random, device=faces.device)
    return (faces + noise * _uniform(faces, random, 3, 18)).clamp(0, 255)


def _cover(faces: Tensor, random: torch.Generator) -> Tensor:
    """Put a plain patch over up to about a sixth of each face (random erasing)."""
    place = torch.arange(faces.shape[-1], device=faces.device) / faces.shape[-1]
    rows, columns = (
        (place >= start) & (place < start + long)
        for long, start in (
            (long, _uniform(faces, random, 0, 1) * (1 - long))
            for long in (_uniform(faces, random, 0.12, 0.42) for _ in range(2))
        )
    )
    patch = rows.transpose(2, 3) & columns  # (n, 1, side, side)
    return torch.where(patch, _uniform(faces, random, 0, 255), faces)
