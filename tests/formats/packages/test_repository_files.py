"""Repositories of dnf, zypper and apk, as text."""

from __future__ import annotations

from lightinit.formats.packages.repository_files import (
    HEAD,
    set_options,
    write_apk_list,
    write_repository,
)


def test_a_repository() -> None:
    text = write_repository("a", (("baseurl", "http://a\nhttp://b"), ("enabled", "1")))
    assert text == HEAD + "[a]\nbaseurl = http://a\n http://b\nenabled = 1\n"


def test_options_are_replaced_where_they_are() -> None:
    before = "[main]\n## Text of b.\n# b = 1\na=1\n##c = x"
    after = set_options(before, (("b", "2\\1"), ("a", "3"), ("d", "4")))
    assert after == "[main]\n## Text of b.\nb = 2\\1\na = 3\n##c = x\nd = 4\n"
    assert set_options(after, (("b", "2\\1"), ("d", "4"))) == after


def test_apk() -> None:
    assert write_apk_list("http://m/a/", "v3.12", True, True, "/l") == (
        HEAD + "http://m/a/v3.12/main\nhttp://m/a/v3.12/community\nhttp://m/a/edge/testing\n"
        "/l/v3.12\n"
    )
