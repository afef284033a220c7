import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r'^```.*?^```', re.DOTALL | re.MULTILINE)
LINK = re.compile(r'\]\(([^)#]+)[^)]*\)')
DOCUMENTS = [path for pattern in ('*.md', 'docs/*.md', 'src/*/README.md') for path in sorted(ROOT.glob(pattern))]


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere_and_nothing_is_left_open(document):
    text = document.read_text()
    for target in LINK.findall(CODE.sub('', text)):
        assert target.startswith('http') or (document.parent / target).exists(), target
    assert not re.search(r'^[A-Z]{4,}$', text, re.MULTILINE), 'a placeholder is left'
