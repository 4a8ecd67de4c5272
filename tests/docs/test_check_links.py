"""The link checker finds links to missing files and anchors, and fetches nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from check_links import problems


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "there.html").write_text('<h1 id="start">There</h1>', encoding="utf-8")
    return tmp_path


def _wrong(site: Path, body: str) -> list[str]:
    (site / "index.html").write_text(body, encoding="utf-8")
    return problems(site)[0]


@pytest.mark.parametrize("link", ["there.html", "there.html#start", "#here", "there.html#"])
def test_links_to_pages_and_anchors_that_exist_are_right(site: Path, link: str) -> None:
    assert _wrong(site, f'<p id="here"><a href="{link}">x</a></p>') == []


@pytest.mark.parametrize("link", ["gone.html", "there.html#gone", "#gone", "folder/there.html"])
def test_links_to_missing_files_and_anchors_are_named(site: Path, link: str) -> None:
    (wrong,) = _wrong(site, f'<a href="{link}">x</a>')
    assert "index.html" in wrong and link in wrong


def test_a_link_to_another_site_is_listed_and_not_wrong(site: Path) -> None:
    (site / "index.html").write_text('<a href="https://example.org/a">x</a>', encoding="utf-8")
    assert problems(site) == ([], ["https://example.org/a"])


def test_a_script_from_a_network_is_wrong(site: Path) -> None:
    assert "network" in _wrong(site, '<script src="https://example.org/a.js"></script>')[0]
