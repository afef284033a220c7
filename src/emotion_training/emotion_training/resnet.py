"""ResNet-50 with six outputs; its state dict has torchvision's names."""

from torch import Tensor, nn

from emotion_core.emotions import EMOTIONS
from emotion_training.vision import models

BLOCKS = (3, 4, 6, 3)  # bottlenecks in each of the four layers (He et al. 2016, table 1)


class ResNet50(models.ResNet):
    """torchvision's ResNet-50 of 23.5 M parameters with one output for each emotion."""

    def __init__(self, dropout: float = 0.3):
        """Make the network with random weights; dropout acts before the head."""
        super().__init__(models.resnet.Bottleneck, list(BLOCKS), num_classes=len(EMOTIONS))
        self.dropout = nn.Dropout(dropout)

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
