"""The documentation builds without a warning, and nothing is missing from it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import spikeport
from spikeport.toolchain import plugins
from tests.support import architecture

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PICTURE = DOCS / "walker.png"
LARGEST_PICTURE = 400_000  # bytes
NAMED = re.compile(r"`([\w./-]+/[\w./-]*)`(?: \(((?:`[^`]+`(?:, )?)+)\))?")
FOLDERS = ("spikeport/", "toolchain/", "export/", "hardware_profiles/", "tests/", "docs/")
EXTERNAL = re.compile(r'<(?:script|img)[^>]+src="https?:|<link[^>]+rel="(?:stylesheet|preconnect)"'
                      r'[^>]+href="https?:')  # fmt: skip


@pytest.mark.timeout(600)
def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material is not installed: make setup")
    pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed: make setup")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    pages = {page.name: page.read_text() for page in tmp_path.rglob("*.html")}
    assert {"index.html", "tutorial.html", "api.html", "contributing.html"} <= set(pages)
    assert [name for name, text in pages.items() if EXTERNAL.search(text)] == []
    for name in ("convert", "Artifact", "verify"):
        assert f'id="spikeport.{name}"' in pages["api.html"] or name in pages["api.html"]


def test_every_public_name_is_in_the_reference() -> None:
    listed = re.findall(r"^::: spikeport\.(\w+)$", (DOCS / "api.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(set(spikeport.__all__) - {"__version__"})


def test_the_index_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\((\w+)\.md\)", (DOCS / "index.md").read_text()))
    pages = {page.stem for page in DOCS.glob("*.md")} | {"contributing", "changelog"}
    assert linked == pages - {"index"}


def test_the_command_line_has_a_row_for_every_command() -> None:
    rows = set(re.findall(r"^\| `spikeport (\w+)", (DOCS / "commands.md").read_text(), re.M))
    assert rows == set(plugins.names("commands"))


def test_what_contributing_names_is_there() -> None:
    found = NAMED.findall((ROOT / "CONTRIBUTING.md").read_text())
    paths = [(path, names) for path, names in found if path.startswith(FOLDERS)]
    assert len(paths) > 50
    for path, names in paths:
        assert (ROOT / path).exists() or "NAME" in path, f"{path} is not there"
        for name in re.findall("`([^`]+)`", names):
            if not name.endswith((".py", "/")):
                assert name in (ROOT / path).read_text(), f"{path} has no {name}"


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_files_that_a_page_names_are_there(page: str) -> None:
    for path, _ in NAMED.findall((DOCS / page).read_text()):
        if path.startswith(FOLDERS):
            assert (ROOT / path).exists(), f"{path} is not there"


def test_links_of_the_pages_at_the_root_lead_somewhere() -> None:
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
            assert link.startswith("https://") or (ROOT / link).exists(), f"{page}: {link}"


def test_the_picture_of_the_rooms_is_current() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: no list of tracked files")
    graph = architecture.rooms()
    stale = "python tests/support/architecture.py --write"
    assert architecture.PICTURE.read_text() == architecture.picture(graph), stale
    text = architecture.PAGE.read_text()
    assert text == architecture.page(text, graph), stale


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": {"b"}, "b": set()}, {"a": 1, "b": 0}),
        ({"a": {"b"}, "b": {"a"}, "c": {"a"}}, {"a": 0, "b": 0, "c": 1}),
        ({"a": {"b", "c"}, "b": {"c"}, "c": set()}, {"a": 2, "b": 1, "c": 0}),
    ],
)
def test_a_room_stands_above_what_it_imports(
    graph: dict[str, set[str]], expected: dict[str, int]
) -> None:
    assert architecture.floors(graph) == expected


def test_a_line_that_others_imply_is_not_drawn() -> None:
    graph: dict[str, set[str]] = {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    lines = architecture.lines_drawn(graph, architecture.floors(graph))
    assert lines == [("a", "b"), ("b", "c")]


def test_the_front_page_has_its_picture_and_its_program() -> None:
    page = (ROOT / "README.md").read_text()
    assert f"(docs/{PICTURE.name})" in page
    content = PICTURE.read_bytes()
    assert content.startswith(b"\x89PNG") and len(content) < LARGEST_PICTURE
    programs = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(programs) == 1 and len(programs[0].splitlines()) <= 12
    compile(programs[0], "README.md", "exec")
    for name in re.findall(r"spikeport\.(\w+)\(", programs[0]):
        assert name in spikeport.__all__
    assert len(page.split()) < 1000
    assert "verified on loihi" not in page.lower()
