"""ResNet-50 with six outputs; its state dict has torchvision's names."""

from pathlib import Path

from torch import Tensor, nn

from emotion_core.emotions import EMOTIONS
from emotion_training.errors import TrainingError
from emotion_training.importing_weights import read_weights
from emotion_training.vision import models

BLOCKS = (3, 4, 6, 3)  # bottlenecks in each of the four layers (He et al. 2016, table 1)


class ResNet50(models.ResNet):
    """torchvision's ResNet-50 of 23.5 M parameters with one output for each emotion."""

    def __init__(self):
        """Make the network with random weights; dropout acts before the head."""
        super().__init__(models.resnet.Bottleneck, list(BLOCKS), num_classes=len(EMOTIONS))
        self.dropout = nn.Dropout(0.3)

    @property
    def head(self) -> nn.Linear:
        """The last layer, which torchvision calls ``fc``: (batch, 2048) to logits (batch, 6)."""
        return self.fc

    def embed(self, faces: Tensor) -> Tensor:
        """Map faces (batch, 3, h, w), RGB with ImageNet's mean and deviation, to what the head reads (batch, 2048)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(faces))))
        return self.avgpool(self.layer4(self.layer3(self.layer2(self.layer1(x))))).flatten(1)

    def forward(self, faces: Tensor) -> Tensor:
        """Map faces (batch, 3, h, w) to logits (batch, 6)."""
        return self.head(self.dropout(self.embed(faces)))


def load_imagenet(network: ResNet50, file: str | None) -> bool:
    """
    Give all but the head of a network the weights that torchvision's ResNet-50 has learned on ImageNet.

    :param file: Holds them as torchvision publishes them; without it they are downloaded.
    :return: False when there is no file, and no network to download it: the weights are what they were.
    :raises EmotionError: when the file holds something else.
    """
    if file is None:
        try:
            state = models.ResNet50_Weights.IMAGENET1K_V2.get_state_dict(check_hash=True)
        except OSError:  # of which those of urllib are kinds
            return False
    else:
        state = read_weights(Path(file)).without_prefix().state
    try:
        kept = {name: value for name, value in state.items() if not name.startswith('fc.')}
        wrong = network.load_state_dict(kept, strict=False)
    except RuntimeError as error:  # tensors of other shapes
        raise TrainingError(f"'{file}' does not hold the weights of torchvision's ResNet-50, but of another") from error
    if wrong.unexpected_keys or set(wrong.missing_keys) != {'fc.weight', 'fc.bias'}:
        raise TrainingError(
            f"'{file}' does not hold the weights of torchvision's ResNet-50: "
            f'{len(wrong.missing_keys)} of its tensors are missing, {len(wrong.unexpected_keys)} are others'
        )
    return True
