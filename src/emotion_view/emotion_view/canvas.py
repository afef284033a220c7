"""A picture to draw on, in sizes that grow with it, and the colours."""

import unicodedata

import cv2
import numpy as np

# Colours that colour-blind people tell apart (Okabe and Ito 2008), as BGR.
FACE_COLOR = (233, 180, 86)
SPEECH_COLOR = (0, 159, 230)
FUSED_COLOR = (255, 255, 255)
SPEAKING_COLOR = (0, 159, 230)
TEXT_COLOR = (255, 255, 255)
MUTED_COLOR = (190, 190, 190)
PANEL_COLOR = (28, 24, 22)
FONT = cv2.FONT_HERSHEY_SIMPLEX
EMPTY_COLOR = (70, 64, 60)  # of a bar

DESIGN_HEIGHT = 480  # sizes are for a frame this high and grow with it
# OpenCV's fonts have ASCII alone.
PLAIN = str.maketrans({'…': '...', '→': '->', '’': "'", 'ł': 'l', 'Ł': 'L', 'ß': 'ss', 'æ': 'ae', 'ø': 'o', '–': '-'})


def plain(text: str) -> str:
    """Give text without accents: what the fonts can show."""
    decomposed = unicodedata.normalize('NFKD', text.translate(PLAIN))
    return ''.join(char for char in decomposed if not unicodedata.combining(char))


class Canvas:
    """A frame with sizes in design pixels."""

    def __init__(self, frame: np.ndarray):
        """Draw on this picture, uint8 of shape (height, width, 3), BGR."""
        self.frame = frame
        self.scale = max(frame.shape[0] / DESIGN_HEIGHT, 0.5)

    @property
    def width(self) -> float:
        """Of the picture."""
        return self.frame.shape[1] / self.scale

    @property
    def height(self) -> float:
        """Of the picture."""
        return self.frame.shape[0] / self.scale

    def widen(self, width: float) -> None:
        """Add a panel on the right."""
        self.frame = cv2.copyMakeBorder(self.frame, 0, 0, 0, self.px(width), cv2.BORDER_CONSTANT, value=PANEL_COLOR)

    def dim(self, light: float) -> None:
        """Darken everything drawn so far; 1 leaves it as it is."""
        self.frame = cv2.convertScaleAbs(self.frame, alpha=light)

    def px(self, value: float) -> int:
        """Give a size in pixels of the picture."""
        return round(value * self.scale)

    def fill(self, x: float, y: float, width: float, height: float, color: tuple[int, int, int]) -> None:
        """Fill a box."""
        if width > 0:
            right, bottom = max(self.px(x + width) - 1, self.px(x)), max(self.px(y + height) - 1, self.px(y))
            cv2.rectangle(self.frame, (self.px(x), self.px(y)), (right, bottom), color, -1)

    def text(self, text: str, x: float, y: float, size: float, color: tuple[int, int, int], bold: bool = False) -> None:
        """Write from a point on the base line."""
        thickness = self._thickness(size, bold)
        cv2.putText(
            self.frame, plain(text), (self.px(x), self.px(y)), FONT, size * self.scale, color, thickness, cv2.LINE_AA
        )

    def text_width(self, text: str, size: float, bold: bool = False) -> float:
        """Measure text."""
        thickness = self._thickness(size, bold)
        return cv2.getTextSize(plain(text), FONT, size * self.scale, thickness)[0][0] / self.scale

    def centred(self, text: str, x: float, y: float, size: float, color: tuple[int, int, int], width: float) -> None:
        """Write bold text around a point, smaller where it is wider than ``width``, with an edge to stand out."""
        size *= min(1.0, width / max(self.text_width(text, size, bold=True), 1e-6))
        left = x - self.text_width(text, size, bold=True) / 2
        at, edge = (self.px(left), self.px(y)), self._thickness(size, bold=True) + max(self.px(3), 2)
        cv2.putText(self.frame, plain(text), at, FONT, size * self.scale, (0, 0, 0), edge, cv2.LINE_AA)
        self.text(text, left, y, size, color, bold=True)

    def ring(self, x: float, y: float, radius: float, share: float, color: tuple[int, int, int]) -> None:
        """Draw a ring that is full to a share, clockwise from the top."""
        centre, size = (self.px(x), self.px(y)), (self.px(radius), self.px(radius))
        thickness = max(self.px(6), 2)
        cv2.ellipse(self.frame, centre, size, -90, 0, 360, EMPTY_COLOR, thickness, cv2.LINE_AA)
        if share > 0:
            cv2.ellipse(self.frame, centre, size, -90, 0, 360 * share, color, thickness, cv2.LINE_AA)

    def bar(self, x: float, y: float, width: float, height: float, share: float, color: tuple[int, int, int]) -> None:
        """Draw a bar that is full to a share."""
        self.fill(x, y, width, height, EMPTY_COLOR)
        self.fill(x, y, width * min(max(share, 0.0), 1.0), height, color)

    def wrap(self, text: str, width: float, size: float) -> list[str]:
        """Break text into lines."""
        lines = ['']
        for word in text.split():
            longer = f'{lines[-1]} {word}'.strip()
            if lines[-1] and self.text_width(longer, size) > width:
                lines.append(word)
            else:
                lines[-1] = longer
        return lines

    def _thickness(self, size: float, bold: bool) -> int:
        return max(round((2 if bold else 1) * self.scale * max(size, 1.0)), 1)
