"""Several cloud-configs become one, as cloud-init merges them.

What cloud-init makes of the same documents was got by running it, and is in tests/data.
"""

from __future__ import annotations

import copy
import json
import os
from typing import Any, Dict, List

import pytest

from lightinit.formats.cloud_config.merge import DEFAULT, ConfigPart, MergedConfig, merge_all
from tests.lib.scratch import HERE

with open(os.path.join(HERE, "tests/data/cloud_config_merges.json"), encoding="utf-8") as handle:
    SAID = json.load(handle)


def merged(how: Any, first: Any = SAID["first"], second: Any = SAID["second"]) -> MergedConfig:
    """Merge two documents, the second of which says how."""
    return merge_all([ConfigPart(first), ConfigPart(dict(second, merge_how=how))])


@pytest.mark.parametrize("how, expected", SAID["merged"], ids=str)
def test_as_cloud_init_does(how: Any, expected: Dict[str, Any]) -> None:
    first, second = copy.deepcopy(SAID["first"]), copy.deepcopy(SAID["second"])
    found = merged(how, first, second)
    assert found.values == expected and not found.mistakes
    assert (first, second) == (SAID["first"], SAID["second"])


def test_without_a_word_a_later_key_replaces_an_earlier_one() -> None:
    found = merge_all([ConfigPart(SAID["first"]), ConfigPart(SAID["second"])])
    assert [DEFAULT, found.values] == SAID["merged"][0]
    assert merge_all([]).values == {}


def test_the_header_counts_and_the_document_comes_before_it() -> None:
    first, second = {"a": ["x"]}, {"a": ["y"]}
    how = "list(append)+dict(recurse_list)"
    parts = [ConfigPart(first), ConfigPart(second, how)]
    assert merge_all(parts).values == {"a": ["x", "y"]}
    said = dict(second, merge_type="list(prepend)")
    assert merge_all([parts[0], ConfigPart(said, how)]).values == {"a": ["y", "x"]}


def test_dashes_and_lists_of_pairs() -> None:
    for how in ("dict(recurse-list)+list(append)", [["dict", "recurse_list"], ["list", "append"]]):
        assert merged(how, {"a": [1]}, {"a": [2]}).values == {"a": [1, 2]}


@pytest.mark.parametrize(
    "how, says",
    [
        ("list(append)", "without dict() nothing would be merged"),
        ("dict(replace)+tuple(append)", "there is no tuple()"),
        ("dict(replace)+list(apend)", "list() knows only append, prepend"),
        ("dict(replace)+list[append]", "a part of it is not NAME(OPTIONS)"),
        ([{"name": "dict"}], "an item is not a name with a list of settings"),
        ([5], "an item is not a name"),
        (5, "an item is not a name"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_lost(how: Any, says: str) -> None:
    found = merged(how, {"a": 1}, {"b": 2})
    assert found.values == {"a": 1, "b": 2}
    told: List[str] = [str(each) for each in found.mistakes]
    assert says in told[0] and told[0].startswith("merge_how: ")


@pytest.mark.parametrize("how", ["list(append)+dict(recurse_list,recurse_str)+str(append)"])
def test_values_of_other_kinds(how: str) -> None:
    """There cloud-init raises TypeError, and loses the whole part."""
    assert merged(how, {"a": "x"}, {"a": ["y"]}).values == {"a": ["y"]}
    assert merged(how, {"a": ["x"]}, {"a": "y"}).values == {"a": ["x"]}
    assert merged(how, {"a": 1}, {"a": "y"}).values == {"a": 1}
