"""docs/reasons.md and the code say the same: each reason that the agent can give has one row, and
no other has one.

The reasons are read off the sources: the first argument of whatever makes one of our errors. Most
are plain texts. One that is put together, or comes by way of a variable or a parameter, is followed
to the texts that it is made of; one that cannot be followed is a failure here, so that no reason
can come into the code unseen.
"""

from __future__ import annotations

import ast
import itertools
import os
import re
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

import pytest

from lightinit.result import REPEATED
from tests.lib.scratch import HERE

PAGE = "docs/reasons.md"
ROOT = "LightinitError"
DEFINED_IN = "lightinit/errors.py"
# Errors that carry the reason of another error on. That other one was made somewhere, and is found
# there.
PASSED_ON = {
    ("lightinit/datasources/azure/certificates.py", "error.reason"),
    ("lightinit/datasources/azure/imds_client.py", "error.reason"),
    ("lightinit/datasources/ec2/service.py", "error.reason"),
    ("lightinit/datasources/metadata.py", "error.reason"),
    ("lightinit/host/system.py", "error.reason"),
    ("lightinit/pipeline.py", "error.reason"),
    ("lightinit/retry.py", "told.reason"),
}
Function = (ast.FunctionDef, ast.AsyncFunctionDef)


class Unclear(Exception):
    """What an expression may be cannot be told from the sources."""


# -- the code's
# --------------------------------------------------------------------------------------------------


class Code:
    """All sources together: which errors they make, and with which reasons.

    Args:
        texts: path -> source.
        passed_on: (path, expression) that is known to carry on the reason of an error made
            elsewhere.

    Attributes:
        reasons: reason -> the places that give it.
        of_class: name of an error class -> the reasons that it is made with.
        unclear: what could not be followed, one line each.
        carried: those of ``passed_on`` that were met.
    """

    def __init__(self, texts: Mapping[str, str], passed_on: Set[Tuple[str, str]]) -> None:
        self._trees = {path: ast.parse(text) for path, text in texts.items()}
        self._above = {
            child: node
            for tree in self._trees.values()
            for node in ast.walk(tree)
            for child in ast.iter_child_nodes(node)
        }
        self._passed_on = passed_on
        self.reasons: Dict[str, List[str]] = {}
        self.of_class: Dict[str, Set[str]] = {}
        self.unclear: List[str] = []
        self.carried: Set[Tuple[str, str]] = set()
        self._classes = self._find_classes()
        for path in sorted(set(self._trees) - {DEFINED_IN}):
            for node in ast.walk(self._trees[path]):
                try:
                    self._look_at(path, node)
                except Unclear as why:
                    self.unclear.append("%s:%d: %s" % (path, getattr(node, "lineno", 0), why))

    def _find_classes(self) -> Set[str]:
        """The names of our error classes, wherever they are defined."""
        found = {ROOT}
        defined = [
            node
            for tree in self._trees.values()
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
        ]
        while True:
            more = {
                node.name
                for node in defined
                if any(last_name(base) in found for base in node.bases)
            } - found
            if not more:
                return found
            found |= more

    def _look_at(self, path: str, node: ast.AST) -> None:
        if isinstance(node, (ast.Name, ast.Attribute)) and last_name(node) in self._classes:
            self._check_use(node)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            if any(alias.asname and alias.name in self._classes for alias in node.names):
                raise Unclear("an error class gets another name")
        elif isinstance(node, ast.ClassDef) and node.name in self._classes:
            if any(
                isinstance(each, Function) and each.name in ("__init__", "__new__")
                for each in node.body
            ):
                raise Unclear("an error class with an __init__ of its own")
        elif (
            isinstance(node, ast.Attribute)
            and node.attr == "reason"
            and not isinstance(node.ctx, ast.Load)
        ):
            raise Unclear("a reason is changed after the error was made")
        elif isinstance(node, ast.Call) and last_name(node.func) in self._classes:
            for reason in self._values(argument(node, "reason", 0), path, ()):
                self.reasons.setdefault(reason, []).append("%s:%d" % (path, node.lineno))
                self.of_class.setdefault(last_name(node.func), set()).add(reason)

    def _check_use(self, node: ast.AST) -> None:
        """Called, caught, asked for with isinstance, inherited from, or in an annotation: all else
        could make one unseen.
        """
        here, above = node, self._above[node]
        if isinstance(above, ast.Call) and (
            above.func is node or last_name(above.func) == "isinstance"
        ):
            return
        while not isinstance(here, ast.stmt):
            here, above = above, self._above[above]
            if isinstance(here, (ast.ExceptHandler, ast.ClassDef, ast.arg)):
                return
            if isinstance(above, ast.Subscript) and here is not above.value:
                return  # a type, such as Callable[[LightinitError], None]
        annotated = {
            id(each)
            for annotation in (getattr(here, "returns", None), getattr(here, "annotation", None))
            if annotation is not None
            for each in ast.walk(annotation)
        }
        if id(node) not in annotated:
            raise Unclear("an error class is used as a value")

    # -- what an expression may be
    # -------------------------------------------------------------------------------------

    def _values(
        self, node: Optional[ast.AST], path: str, on_the_way: Sequence[ast.AST]
    ) -> Set[str]:
        """Every text that an expression may be."""
        if node is None or node in on_the_way:
            raise Unclear("no reason that could be followed")
        way = tuple(on_the_way) + (node,)
        text = literal(node)
        if isinstance(text, str):
            return {text}
        if isinstance(node, ast.IfExp):
            return self._values(node.body, path, way) | self._values(node.orelse, path, way)
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            return set().union(*(self._values(each, path, way) for each in node.values))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            pairs = itertools.product(
                self._values(node.left, path, way), self._values(node.right, path, way)
            )
            return {left + right for left, right in pairs}
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            parts = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
            fillings = list(itertools.product(*(self._values(each, path, way) for each in parts)))
            return {
                template % filling
                for template in self._values(node.left, path, way)
                for filling in fillings
            }
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "get"
        ):
            defaults = [self._values(each, path, way) for each in node.args[1:]]
            return self._table(node.func.value, path, way).union(*defaults)
        if isinstance(node, ast.Subscript):
            return self._table(node.value, path, way)
        if isinstance(node, ast.Attribute) and node.attr == "reason":
            return self._carry_on(node, path)
        if isinstance(node, ast.Name):
            return self._named(node, path, way)
        raise Unclear("a reason put together in a way that this test does not know")

    def _carry_on(self, node: ast.Attribute, path: str) -> Set[str]:
        said = (path, "%s.reason" % (node.value.id if isinstance(node.value, ast.Name) else "?"))
        if said not in self._passed_on:
            raise Unclear("the reason of another error is passed on: if so, say it in PASSED_ON")
        self.carried.add(said)
        return set()

    def _table(self, node: ast.AST, path: str, way: Sequence[ast.AST]) -> Set[str]:
        """The values of a dict that is written out at the module's top."""
        if isinstance(node, ast.Name):
            for value in bindings(self._trees[path], node.id):
                if isinstance(value, ast.Dict):
                    return set().union(*(self._values(each, path, way) for each in value.values))
        raise Unclear("a reason out of a table that is not written out in this file")

    def _named(self, node: ast.Name, path: str, way: Sequence[ast.AST]) -> Set[str]:
        """What a name may stand for: in the innermost function that knows it, else at the module's
        top.
        """
        scope = self._above[node]
        while True:
            while not isinstance(scope, Function + (ast.Module,)):
                scope = self._above[scope]
            found = [self._values(each, path, way) for each in bindings(scope, node.id)]
            if isinstance(scope, Function) and node.id in parameters(scope):
                found.append(self._passed(scope, node.id, path, way))
            if found:
                return set().union(*found)
            if isinstance(scope, ast.Module):
                raise Unclear("nothing in this file says what %s is" % node.id)
            scope = self._above[scope]

    def _passed(self, function: Any, name: str, path: str, way: Sequence[ast.AST]) -> Set[str]:
        """What the calls of a function hand over for a parameter. A name of a module's own is
        called in that file alone.
        """
        place = parameters(function).index(name)
        if isinstance(self._above[function], ast.ClassDef) and not any(
            last_name(each) == "staticmethod" for each in function.decorator_list
        ):
            place -= 1
        found: Set[str] = set()
        for there in [path] if function.name.startswith("_") else sorted(self._trees):
            for node in ast.walk(self._trees[there]):
                if (
                    not isinstance(node, (ast.Name, ast.Attribute))
                    or last_name(node) != function.name
                ):
                    continue
                call = self._above[node]
                if not isinstance(call, ast.Call) or call.func is not node:
                    raise Unclear("%s is not only called, but handed on" % function.name)
                given = argument(call, name, place) or default(function, name)
                found |= self._values(given, there, way)
        return found


def last_name(node: ast.AST) -> str:
    """The name by which something is meant: ``c`` in ``a.b.c``."""
    return (
        node.attr
        if isinstance(node, ast.Attribute)
        else node.id
        if isinstance(node, ast.Name)
        else ""
    )


def literal(node: ast.AST) -> Any:
    """What a constant is; None for anything else."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return None


def argument(call: ast.Call, name: str, place: int) -> Optional[ast.AST]:
    """What a call gives for a parameter; None when it gives nothing."""
    if any(isinstance(each, ast.Starred) for each in call.args[: place + 1]):
        raise Unclear("arguments come out of a list")
    if place < len(call.args):
        return call.args[place]
    return next((each.value for each in call.keywords if each.arg == name), None)


def parameters(function: Any) -> List[str]:
    """The names of a function's parameters, in their order."""
    known = function.args
    return [each.arg for each in getattr(known, "posonlyargs", []) + known.args + known.kwonlyargs]


def default(function: Any, name: str) -> Optional[ast.AST]:
    """The default of a parameter, if it has one."""
    known = function.args
    plain = [each.arg for each in getattr(known, "posonlyargs", []) + known.args]
    pairs = list(zip(plain[len(plain) - len(known.defaults) :], known.defaults))
    pairs += zip((each.arg for each in known.kwonlyargs), known.kw_defaults)
    return dict(pairs).get(name)


def bindings(scope: ast.AST, name: str) -> List[ast.AST]:
    """What is put under ``name`` in a function or at a module's top, functions inside left out.

    Raises:
        Unclear: something is put there of which this test cannot say what it is.
    """
    found: List[ast.AST] = []
    for node in within(scope):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                found += matched(target, node.value, name)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            found += matched(node.target, node.value, name)
        elif isinstance(node, ast.For):
            rounds = node.iter.elts if isinstance(node.iter, (ast.Tuple, ast.List)) else [node.iter]
            for each in rounds:
                found += (
                    matched(node.target, each, name)
                    if rounds[0] is not node.iter
                    else unknown(node.target, name)
                )
        elif isinstance(node, ast.AugAssign):
            found += unknown(node.target, name)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            found += unknown(node.optional_vars, name)
        elif type(node).__name__ == "NamedExpr":
            found += unknown(node.target, name)  # type: ignore[attr-defined]
        elif isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names:
            raise Unclear("%s is set from elsewhere too" % name)
    return found


def within(scope: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a scope, without those of the functions and classes inside it."""
    todo = list(ast.iter_child_nodes(scope))
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, Function + (ast.ClassDef, ast.Lambda)):
            todo.extend(ast.iter_child_nodes(node))


def matched(target: ast.AST, value: ast.AST, name: str) -> List[ast.AST]:
    """The part of ``value`` that an assignment to ``target`` puts under ``name``."""
    if isinstance(target, ast.Name):
        return [value] if target.id == name else []
    if (
        isinstance(target, ast.Tuple)
        and isinstance(value, ast.Tuple)
        and len(target.elts) == len(value.elts)
    ):
        return [
            part
            for pair in zip(target.elts, value.elts)
            for part in matched(pair[0], pair[1], name)
        ]
    return unknown(target, name)


def unknown(target: ast.AST, name: str) -> List[ast.AST]:
    """Nothing, if ``name`` is not in ``target``."""
    if any(
        isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Store)
        for each in ast.walk(target)
    ):
        raise Unclear("what is put under %s cannot be followed" % name)
    return []


def sources() -> Dict[str, str]:
    """The agent's own: path -> text. The emulator shares no code with it; lightinit/modules is a
    link to modules.
    """
    found = {}
    for top in ("lightinit", "modules"):
        for folder, folders, names in os.walk(os.path.join(HERE, top)):
            folders[:] = [
                name
                for name in folders
                if name not in ("emulator", "__pycache__")
                and not os.path.islink(os.path.join(folder, name))
            ]
            for name in names:
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    found[os.path.relpath(path, HERE)] = text_of(path)
    return found


# -- the page's
# --------------------------------------------------------------------------------------------------


def text_of(path: str) -> str:
    """The text of a file."""
    with open(os.path.join(HERE, path), encoding="utf-8") as handle:
        return handle.read()


def page_rows(text: str) -> List[List[str]]:
    """The rows of every table whose first column is ``reason``, each as its cells."""
    found: List[List[str]] = []
    inside = False
    for line in text.split("\n"):
        if re.match(r"\| *reason *\|", line):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not re.match(r"\|-", line):
            found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])])
    return found


def told_in(cell: str) -> List[str]:
    """The reasons that a first cell names: in backquotes, commas between them, and nothing else."""
    return re.findall("`([^`]+)`", cell) if re.match(r"`[^`]+`(?:, `[^`]+`)*\Z", cell) else []


# -- the tests
# --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def code() -> Code:
    return Code(sources(), PASSED_ON)


def test_every_reason_of_the_code_can_be_told(code: Code) -> None:
    assert code.unclear == []
    assert code.carried == PASSED_ON
    assert len(code.reasons) > 100


def test_a_record_tells_each_repeated_error_by_its_reason(code: Code) -> None:
    assert code.of_class["RepeatedError"] == set(REPEATED)


def test_reasons_are_fixed_phrases(code: Code) -> None:
    for reason, places in code.reasons.items():
        assert re.match(r"[a-z][^`|%\n]*[a-z0-9]\Z", reason) and len(reason) < 100, places


def test_the_page_has_each_reason_once_and_no_other(code: Code) -> None:
    told = [reason for row in page_rows(text_of(PAGE)) for reason in told_in(row[0])]
    assert sorted(set(code.reasons) - set(told)) == [], (
        "the code gives them, and %s does not tell of them" % PAGE
    )
    assert sorted(set(told) - set(code.reasons)) == [], (
        "%s tells of them, and no code gives them" % PAGE
    )
    assert sorted(reason for reason in set(told) if told.count(reason) > 1) == []


def test_each_row_has_a_cause_and_a_remedy() -> None:
    rows = page_rows(text_of(PAGE))
    assert len(rows) > 100
    for row in rows:
        assert len(row) == 3 and told_in(row[0]), row
        assert all(re.search(r"\w", cell) for cell in row), row


HEAD = "from lightinit.errors import ProvisioningError\n"


def read(text: str, more: str = "") -> Code:
    base = "class LightinitError(Exception): pass\nclass ProvisioningError(LightinitError): pass\n"
    texts = {DEFINED_IN: base, "lightinit/a.py": HEAD + text, "lightinit/b.py": more}
    return Code(texts, {("lightinit/a.py", "old.reason")})


@pytest.mark.parametrize(
    "text, reasons",
    [
        ("raise ProvisioningError('plain' ' text', path=1)", "plain text"),
        ("raise errors.ProvisioningError(reason='by its name')", "by its name"),
        ("raise ProvisioningError('one' if x else 'other')", "one, other"),
        ("class Own(ProvisioningError):\n pass\nraise Own('of a class below')", "of a class below"),
        (
            (
                "def f(x):\n reason, y = x + ' is gone', 1\n raise"
                " ProvisioningError(reason)\nf('it')\nf(x='all')"
            ),
            "all is gone, it is gone",
        ),
        ("def f(x='it'):\n raise ProvisioningError('no %s' % x)\nf()", "no it"),
        (
            (
                "class A:\n def f(self, x):\n  raise ProvisioningError(x)\n def g(self):\n "
                " self.f('a method')"
            ),
            "a method",
        ),
        ("T = {1: 'two'}\ndef f():\n raise ProvisioningError(T.get(9) or 'nine')", "nine, two"),
        ("def f():\n for a, b in ((1, 'x'), (2, 'y')):\n  raise ProvisioningError(b)", "x, y"),
        ("def f(old):\n raise ProvisioningError(old.reason)", ""),
        ("def f(e: ProvisioningError) -> ProvisioningError:\n return e", ""),
        (
            (
                "x: Optional[ProvisioningError] = None\ntry:\n f()\nexcept (ProvisioningError,"
                " OSError): pass"
            ),
            "",
        ),
    ],
)
def test_composed_reasons_are_followed(text: str, reasons: str) -> None:
    found = read(text)
    assert (", ".join(sorted(found.reasons)), found.unclear) == (reasons, [])


def test_a_function_is_followed_into_other_files() -> None:
    found = read(
        "def tell(x):\n raise ProvisioningError(x)",
        "import a\na.tell('from b')\ndef _tell(x): pass\n_tell(x)",
    )
    assert (list(found.reasons), found.unclear) == (["from b"], [])


@pytest.mark.parametrize(
    "text",
    [
        "raise ProvisioningError",
        "raise ProvisioningError()",
        "raise ProvisioningError(*both)",
        "raise ProvisioningError(f'no {x}')",
        "raise ProvisioningError('no {}'.format(x))",
        "raise ProvisioningError(str(error))",
        "raise ProvisioningError(new.reason)",
        "raise ProvisioningError(name)",
        "def f(x):\n raise ProvisioningError(x)\nf(g())",
        "def f(x):\n raise ProvisioningError(x)\nf('known')\nmap(f, names)",
        "def f():\n for x in names:\n  raise ProvisioningError(x)",
        "def f():\n x = 'a'\n x += b\n raise ProvisioningError(x)",
        "def f():\n with g() as x:\n  raise ProvisioningError(x)",
        "def f(x):\n raise ProvisioningError(T[x])",
        "kind = ProvisioningError\nraise kind('x')",
        "raise (ProvisioningError if x else OSError)('x')",
        "def f(kinds=(ProvisioningError,)):\n raise kinds[0]('x')",
        "from lightinit.errors import ProvisioningError as Other\nraise Other('x')",
        "class Own(ProvisioningError):\n def __init__(self):\n  super().__init__('hidden')",
        "error.reason = 'another'",
    ],
)
def test_what_cannot_be_followed_is_a_failure(text: str) -> None:
    assert read(text).unclear
