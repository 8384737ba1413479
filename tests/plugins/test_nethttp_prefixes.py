"""Routes of routers that see only a part of the path."""

from __future__ import annotations

import pytest
from goinst.plugins.nethttp.routes import _before


@pytest.mark.parametrize(
    ("template", "path", "before"),
    [
        ("/articles/{slug}", "/chi/articles/a", "/chi"),
        ("/articles/:slug", "/v1/api/articles/a", "/v1/api"),
        ("/{a}/{b}", "/x/y/z", "/x"),
        ("/", "/api/", "/api"),
        ("/articles/{slug}", "/articles/a", ""),
        ("/articles/{slug}", "/chi/other/a", ""),
        ("/articles/{slug}", "/a", ""),
        ("/files/*", "/x/files/a/b", ""),
        ("/files/*rest", "/x/files/a", ""),
        ("/{rest:.*}", "/x/y", ""),
        ("/users/{id}", "", ""),
    ],
)
def test_what_stands_before_a_template(template: str, path: str, before: str) -> None:
    assert _before(template, path) == before
