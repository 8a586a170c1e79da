"""docs/modules.md and the code say the same."""

from __future__ import annotations

import ast
import importlib
import os
import re
from typing import Any, Dict, List, Set

import pytest

from lightinit import registry
from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.settings import Setting
from lightinit.settings.shipped import SHIPPED

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODULES = sorted(
    name[:-3]
    for name in os.listdir(os.path.join(HERE, "modules"))
    if re.match(r"[a-z]\w*\.py\Z", name)
)
SOURCES = (
    ["modules/%s.py" % name for name in MODULES]
    + [
        "lightinit/%s/%s" % (folder, name)
        for folder in (
            "accounts",
            "accounts/given",
            "files",
            "host_keys",
            "user_data",
            "user_data/scripts",
        )
        for name in sorted(os.listdir(os.path.join(HERE, "lightinit", folder)))
        if name.endswith(".py")
    ]
    + [
        "lightinit/host/%s.py" % name
        for name in (
            "accounts/files",
            "accounts/grant",
            "accounts/homes",
            "accounts/passwords",
            "accounts/privileges",
            "accounts/tools",
            "disks/block",
            "disks/make",
            "disks/mounts",
            "disks/open_disk",
            "disks/resource_disk",
            "files/home_folders",
            "files/in_home",
            "files/text",
            "packages/run",
            "ssh/host_keys",
            "ssh/sshd",
            "ssh/config_files",
        )
    ]
    + [
        "lightinit/formats/%s.py" % name
        for name in (
            "accounts/admin_account",
            "accounts/new_account",
            "accounts/passwords",
            "file_entries",
            "ssh/password_policy",
        )
    ]
)


def text_of(path: str) -> str:
    with open(os.path.join(HERE, path), encoding="utf-8") as handle:
        return handle.read()


DOCS = text_of("docs/modules.md")


def section(name: str) -> str:
    return DOCS.split("\n## %s\n" % name)[1].split("\n## ")[0]


def rows(text: str, head: str) -> List[List[str]]:
    """The rows of the first table whose head starts so."""
    lines = text.split("\n")
    at = next(
        (number for number, line in enumerate(lines) if line.startswith("| " + head)), len(lines)
    )
    found = []
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def shown(setting: Setting) -> List[str]:
    value: Any = setting.default
    value = (
        {True: "yes", False: "no"}[value]
        if isinstance(value, bool)
        else " ".join(value)
        if isinstance(value, tuple)
        else str(value)
    )
    choices = " One of: %s." % ", ".join(setting.choices) if setting.choices else ""
    return ["`%s`" % setting.key, setting.kind, value or "(empty)", setting.help + choices]


def reasons(path: str) -> Set[str]:
    """The reason of each ProvisioningError that a file makes, or has another file make."""
    found: List[ast.AST] = []
    for node in ast.walk(ast.parse(text_of(path))):
        if isinstance(node, ast.Call):
            found += [word.value for word in node.keywords if word.arg == "reason"]
            if getattr(node.func, "id", "") == "ProvisioningError":
                found.append(node.args[0])
        elif isinstance(node, ast.FunctionDef):
            named = zip(node.args.args[::-1], node.args.defaults[::-1])
            found += [default for argument, default in named if argument.arg == "reason"]
    return {ast.literal_eval(node) for node in found if not isinstance(node, ast.Name)}


@pytest.mark.parametrize("name", MODULES)
def test_the_table_of_settings_is_the_codes(name: str) -> None:
    assert rows(section(name), "key ") == [shown(setting) for setting in SHIPPED[name].settings]


def test_the_list_of_modules_is_complete() -> None:
    listed: Dict[str, List[str]] = {
        re.findall(r"\[(\w+)\]", row[0])[0]: row[2:] for row in rows(DOCS, "module ")
    }
    assert sorted(listed) == MODULES == registry.shipped_modules()
    for name, (frequency, required) in listed.items():
        declared = SHIPPED[name]
        assert (frequency, required) == (
            declared.frequency.value,
            "yes" if declared.required else "no",
        )
        module = importlib.import_module("lightinit.modules." + name)
        assert module.apply and module.__doc__


def test_each_reason_is_told_and_each_told_reason_exists() -> None:
    told = {row[0].strip("`") for name in MODULES for row in rows(section(name), "it fails with")}
    made = set().union(*(reasons(path) for path in SOURCES))
    assert len(made) > 20
    assert told == made


def test_the_reasons_of_any_module_exist() -> None:
    told = {
        reason
        for row in rows(section("Failures that any module may have"), "it fails with")
        for reason in re.findall("`([^`]+)`", row[0])
    }
    source = text_of("lightinit/host/system.py") + text_of("lightinit/host/command.py")
    assert len(told) == 7 and all('"%s"' % reason in source for reason in told)


def test_the_module_of_your_own_works(tmp_path: Any) -> None:
    """The example is loaded as a site's own module is, and run."""
    import sys

    code = section("A module of your own").split("```python\n")[1].split("```")[0]
    (tmp_path / "mysite").mkdir()
    (tmp_path / "mysite" / "__init__.py").write_text("")
    (tmp_path / "mysite" / "motd.py").write_text(code)
    sys.path.insert(0, str(tmp_path))
    try:
        module: Any = registry.load_module("mysite.motd")
    finally:
        sys.path.remove(str(tmp_path))
    settings = {setting.key: setting.default for setting in module.SETTINGS}
    outcome = module.apply(
        Instance("id", hostnames=("web-1",), location="westeurope"),
        System(tmp_path / "root"),
        settings,
    )
    assert outcome.message == "whoever logs in to web-1 is greeted"
    assert (tmp_path / "root/etc/motd").read_text() == "Welcome to web-1 in westeurope.\n"
