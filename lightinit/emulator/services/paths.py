"""Dotted paths into plain data, such as ``compute.publicKeys.0.keyData``.

``*`` means every element of a list. Does not know what the data mean.
"""

from __future__ import annotations

import copy
from typing import Any, Iterable, Iterator, List, Tuple


def _children(node: Any, word: str) -> Iterator[Tuple[Any, Any]]:
    """Yield (container, key) for the children that a word names, existing or not."""
    if isinstance(node, dict):
        yield node, word
    elif isinstance(node, list):
        for index in range(len(node)):
            if word in ("*", str(index)):
                yield node, index


def _parents(node: Any, words: List[str]) -> Iterator[Tuple[Any, Any]]:
    for container, key in _children(node, words[0]):
        if len(words) == 1:
            yield container, key
        elif isinstance(container, list) or key in container:
            yield from _parents(container[key], words[1:])


def has_path(document: Any, path: str) -> bool:
    """Return whether the path exists in the document."""
    return any(
        isinstance(box, list) or key in box for box, key in _parents(document, path.split("."))
    )


def remove_path(document: Any, path: str) -> None:
    """Remove what is at the path, in place; a missing path changes nothing."""
    for container, key in list(_parents(document, path.split("."))):
        if isinstance(container, list):
            del container[key]
        else:
            container.pop(key, None)


def set_path(document: Any, path: str, value: Any) -> None:
    """Set the value at the path, in place; missing objects on the way are added."""
    words = path.split(".")
    node = document
    for word in words[:-1]:
        if isinstance(node, dict) and not isinstance(node.get(word), (dict, list)):
            node[word] = {}
        found = list(_children(node, word))
        if not found:
            return
        container, key = found[0]
        node = container[key]
    for container, key in _children(node, words[-1]):
        container[key] = copy.deepcopy(value)


def list_paths(node: Any, prefix: str = "") -> List[str]:
    """Return all paths in the document, including those of containers, in its order."""
    pairs: Iterable[Tuple[Any, Any]] = ()
    if isinstance(node, dict):
        pairs = node.items()
    elif isinstance(node, list):
        pairs = enumerate(node)
    found: List[str] = []
    for key, value in pairs:
        path = str(key)
        if prefix:
            path = prefix + "." + path
        found.append(path)
        found += list_paths(value, path)
    return found


def merge(base: Any, changes: Any) -> Any:
    """Return a copy of ``base`` with ``changes``: objects are merged, other values replaced."""
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return copy.deepcopy(changes)
    merged = {key: copy.deepcopy(value) for key, value in base.items() if key not in changes}
    for key, value in changes.items():
        merged[key] = merge(base.get(key), value)
    return merged
