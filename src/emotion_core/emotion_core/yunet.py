"""The network of YuNet (Wu, Peng and Yu 2023, 'YuNet: A Tiny Millisecond-level Face Detector') in ONNX Runtime."""

from pathlib import Path

import cv2
import numpy as np

from emotion_core.errors import ModelError
from emotion_core.onnx_model import model_path, open_session

STRIDES = (8, 16, 32)  # [px] of the three grids; at each point there is one face or none
PARTS = ('cls', 'obj', 'bbox', 'kps')
# The file names 640x640 as its input's size, but the network takes any. In protobuf's encoding: two dimensions with the
# value 640, and two of the same length with names.
FIXED_SIZE = b'\x0a\x03\x08\x80\x05' * 2
ANY_SIZE = b'\x0a\x03\x12\x01h\x0a\x03\x12\x01w'


class YuNet:
    """Finds faces and five landmarks; ONNX Runtime takes a third of the time of OpenCV's ``FaceDetectorYN``."""

    def __init__(self, folder: Path):
        """
        Load the network.

        :param folder: Holds model.onnx.
        :raises ModelError: when the file is no YuNet of 2023 or newer.
        """
        path = model_path(folder)
        self._session = open_session(path, 1, path.read_bytes().replace(FIXED_SIZE, ANY_SIZE))
        self._input = self._session.get_inputs()[0]
        wanted = {f'{part}_{stride}' for part in PARTS for stride in STRIDES}
        if not wanted <= {output.name for output in self._session.get_outputs()} or any(
            isinstance(size, int) for size in self._input.shape[2:]
        ):
            raise ModelError(f"'{path}' is no YuNet that works on images of any size, as that of 2023 is")

    def __call__(self, image: np.ndarray, least: float) -> np.ndarray:
        """
        Find faces; those that overlap may be the same one.

        :param image: uint8 of shape (height, width, 3), BGR.
        :param least: Score from which something is a face, [0, 1].
        :return: (faces, 15) float32: x, y, width, height, five landmarks x, y [px], and the score.
        """
        border = [(0, -size % STRIDES[-1]) for size in image.shape[:2]]
        if any(rows for _, rows in border):
            image = np.pad(image, [*border, (0, 0)])
        pixels = cv2.dnn.blobFromImage(image)
        names = [f'{part}_{stride}' for part in PARTS for stride in STRIDES]
        grids = [grid[0] for grid in self._session.run(names, {self._input.name: pixels})]
        is_face, is_there, box, points = (
            np.concatenate(grids[first : first + len(STRIDES)]) for first in range(0, len(grids), len(STRIDES))
        )
        score = (is_face.clip(0, 1) * is_there.clip(0, 1))[:, 0]
        rows = np.flatnonzero(score >= least**2)
        first = np.cumsum([0] + [len(grid) for grid in grids[: len(STRIDES)]])  # row of each grid
        number = np.searchsorted(first, rows, side='right') - 1
        stride = np.array(STRIDES)[number]
        place = np.column_stack(np.divmod(rows - first[number], image.shape[1] // stride)[::-1]).astype(np.float32)
        size = np.exp(box[rows, 2:])
        corner = place + box[rows, :2] - size / 2
        landmarks = (points[rows].reshape(-1, 5, 2) + place[:, None]).reshape(-1, 10)
        return np.column_stack(
            [np.hstack([corner, size, landmarks]) * stride[:, None].astype(np.float32), np.sqrt(score[rows])]
        )
