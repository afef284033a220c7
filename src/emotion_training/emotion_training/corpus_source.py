"""A corpus as it lies on disk: a folder, or a tar file that stands for the folder of its name."""

import tarfile
from pathlib import Path

from emotion_core.layout import files_below
from emotion_training.errors import TrainingError

POINTER = b'version https://git-lfs.github.com/spec'  # how a Git LFS pointer begins
IS_POINTER = 'is a Git LFS pointer, not the file: get it with `git lfs pull`'
TAR_MAGIC, TAR_MAGIC_AT = b'ustar', 257  # in the first bytes of a tar


class CorpusSource:
    """
    The files of a corpus, each under its path inside the corpus, whether they lie in a folder or in a tar.

    Nothing stays open, so that any thread and any process may read. Files whose name begins with a dot are no part of
    it: macOS leaves such beside each file that it packs.
    """

    def __init__(self, path: Path):
        """
        List the files.

        :param path: A folder, or an uncompressed tar. What lies in the tar under a folder of the tar's own name has
            the same path as in an unpacked folder.
        :raises TrainingError: when it is neither.
        """
        path = Path(path).absolute()
        self._path = path
        self._places: dict[str, tuple[int, int]] = {}  # of the files of a tar: offset and length in bytes
        if path.is_dir():
            self.name = path.name
            names = [file.relative_to(path) for file in files_below(path)]
            self._files = frozenset(name.as_posix() for name in names if not name.name.startswith('.'))
        elif path.is_file():
            self.name = path.stem
            self._places = self._members()
            self._files = frozenset(self._places)
        else:
            raise TrainingError(f"'{path}' is not there: name the folder or the tar file of a corpus")

    @classmethod
    def find(cls, folder: Path, name: str) -> 'CorpusSource | None':
        """Give the corpus ``name`` of a folder that holds corpora: a folder, else ``name.tar``, else None."""
        for path in (Path(folder) / name, Path(folder) / f'{name}.tar'):
            if path.exists():
                return cls(path)
        return None

    @property
    def files(self) -> list[str]:
        """Paths inside the corpus, sorted."""
        return sorted(self._files)

    def __contains__(self, file: str) -> bool:
        """Whether there is such a file."""
        return file in self._files

    def read(self, file: str) -> bytes:
        """
        Give the content of a file.

        :raises OSError: when it cannot be read.
        """
        if not self._places:
            return (self._path / file).read_bytes()
        offset, length = self._places[file]
        with open(self._path, 'rb') as tar:
            tar.seek(offset)
            return tar.read(length)

    def _members(self) -> dict[str, tuple[int, int]]:
        try:
            with tarfile.open(self._path, 'r:') as tar:
                members = [member for member in tar if member.isfile()]
        except tarfile.TarError as error:
            with open(self._path, 'rb') as tar:
                start = tar.read(tarfile.BLOCKSIZE)
            if start.startswith(POINTER):
                raise TrainingError(f"'{self._path}' {IS_POINTER}") from error
            if start[TAR_MAGIC_AT:].startswith(TAR_MAGIC):
                raise TrainingError(f"'{self._path}' is cut off or damaged ({error}): get it again") from error
            raise TrainingError(f"'{self._path}' is not an uncompressed tar file ({error}): unpack it first") from error
        return {
            name.removeprefix('./').removeprefix(f'{self.name}/'): (member.offset_data, member.size)
            for member in members
            if not Path(name := member.name).name.startswith('.')
        }
