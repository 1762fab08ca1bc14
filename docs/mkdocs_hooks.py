"""Pages of the site that lie elsewhere in the repository, and links between the two places."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
EXCLUDED = {"mkdocs_hooks.py"}
LINK = re.compile(r"\]\((?P<path>[^)#:]+)(?P<anchor>#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages, drop what is no part of the site."""
    for name in EXCLUDED:
        found = files.get_file_from_path(name)
        if found is not None:
            files.remove(found)
    for source, target in PAGES.items():
        content = LINK.sub(from_root, (ROOT / source).read_text())
        files.append(File.generated(config, target, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links of a page that lead out of docs/."""
    return LINK.sub(from_docs, markdown)


def from_root(link: re.Match[str]) -> str:
    """A link of a page at the root: into docs/, or to another page there."""
    path = link["path"]
    path = PAGES.get(path, path.removeprefix("docs/"))
    return f"]({path}{link['anchor'] or ''})"


def from_docs(link: re.Match[str]) -> str:
    """A link of a page in docs/ to a page at the root."""
    path = PAGES.get(link["path"].removeprefix("../"), link["path"])
    return f"]({path}{link['anchor'] or ''})"
