"""torchvision's models and transforms, also where its compiled operators cannot load."""

import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:
    # The wheel is built for CUDA: beside a CPU build of torch its library does not load, and the import stumbles over
    # operators of that library. It goes on once they are declared; nothing here calls them.
    _library = torch.library.Library('torchvision', 'FRAGMENT')  # they live as long as this object
    for _name in ('nms', 'qnms'):
        _library.define(f'{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')

from torchvision import models
from torchvision.transforms import v2

__all__ = ['models', 'v2']
