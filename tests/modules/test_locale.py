"""The module locale on scratch roots: every file from which some host takes its locale."""

from __future__ import annotations

import os
from typing import Any, Dict

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import locale

SUPPORTED = "aa_ER UTF-8\nde_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\nde_DE@euro ISO-8859-15\n"
ALPINE = (
    "export CHARSET=${CHARSET:-UTF-8}\nexport LANG=${LANG:-C.UTF-8}\n"
    "export LC_COLLATE=${LC_COLLATE:-C}\n"
)
# It takes the locale from /etc/locale.conf itself.
RED_HAT = 'if [ -n "${LANG}" ]; then\n  LANG_backup="${LANG}"\nfi\nLANG="${LANG_backup}"\n'


def host(root: Any, files: Dict[str, str]) -> System:
    system = System(root)
    system.make_dir("/usr/lib/locale/de_DE.utf8")
    for name, text in files.items():
        system.write(name, text.encode(), 0o640)
    return system


def apply(system: System, name: str, file: str = "") -> Outcome:
    return locale.apply(Instance("id"), system, {"locale": name, "file": file})


@pytest.mark.parametrize(
    "name, before, after",
    [
        ("/etc/default/locale", "#  made", "#  made\nLANG=de_DE.UTF-8\n"),
        ("/etc/default/locale", "LANG=C.UTF-8\nLANGUAGE=\n", "LANG=de_DE.UTF-8\nLANGUAGE=\n"),
        ("/etc/locale.conf", "LC_TIME=C\nLANG='C'\n", "LC_TIME=C\nLANG='de_DE.UTF-8'\n"),
        ("/etc/env.d/02locale", "", "LANG=de_DE.UTF-8\n"),
        ("/etc/sysconfig/language", 'RC_LANG="C"\n', 'RC_LANG="de_DE.UTF-8"\n'),
        ("/etc/profile.d/locale.sh", ALPINE, ALPINE.replace("C.UTF-8", "de_DE.UTF-8")),
        ("/etc/profile.d/20locale.sh", ALPINE, ALPINE.replace("C.UTF-8", "de_DE.UTF-8")),
        ("/etc/profile.d/lang.sh", "#x\nexport LANG=C\n", "#x\nexport LANG=de_DE.UTF-8\n"),
        ("/etc/profile.d/lang.sh", RED_HAT, RED_HAT),
    ],
)
def test_files_are_changed_where_they_are(
    tmp_path: Any, name: str, before: str, after: str
) -> None:
    system = host(tmp_path, {name: before})
    for _ in range(2):
        assert apply(system, "de_DE.UTF-8").warnings == ()
        assert system.read_text(name) == after
        assert os.stat(system.path(name)).st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "there, made",
    [
        ("/etc/pam.d/login", "/etc/default/locale"),
        ("/usr/lib/systemd/systemd", "/etc/locale.conf"),
        ("/etc/env.d/50x", "/etc/env.d/02locale"),
        ("/etc/profile.d/x.sh", "/etc/profile.d/locale.sh"),
        ("/etc/x", "/etc/locale.conf"),
    ],
)
def test_without_a_file_the_hosts_own_is_made(tmp_path: Any, there: str, made: str) -> None:
    text = "session required pam_env.so envfile=/etc/default/locale\n"
    system = host(tmp_path, {there: text})
    assert apply(system, "de_DE.utf8") == Outcome("locale is de_DE.utf8 (%s)" % made)
    assert "LANG=" in system.read_text(made) and "de_DE.utf8" in system.read_text(made)
    assert system.file_status(made).st_mode & 0o777 == 0o644


def test_a_file_that_is_named_is_the_only_one(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/locale.conf": "LANG=C\n"})
    apply(system, "de_DE.UTF-8", "/opt/site/locale")
    assert system.read_text("/opt/site/locale") == "LANG=de_DE.UTF-8\n"
    assert system.read_text("/etc/locale.conf") == "LANG=C\n"


@pytest.mark.parametrize(
    "asked, line",
    [
        ("de_DE.UTF-8", "de_DE.UTF-8 UTF-8"),
        ("de_de.utf8", "de_DE.UTF-8 UTF-8"),
        ("de_DE", "de_DE ISO-8859-1"),
        ("de_DE@euro", "de_DE@euro ISO-8859-15"),
        ("aa_ER.UTF-8", "aa_ER UTF-8"),
    ],
)
@pytest.mark.parametrize("listed", ["/etc/locale.gen", "/etc/default/libc-locales"])
def test_a_locale_to_be_made_is_switched_on(
    tmp_path: Any, asked: str, line: str, listed: str
) -> None:
    system = host(tmp_path, {listed: "# This file\n#\n# C.UTF-8 UTF-8\n#en_US.UTF-8 UTF-8  \n"})
    system.remove_tree("/usr/lib/locale")
    system.write("/usr/share/i18n/SUPPORTED", SUPPORTED.encode())
    apply(system, asked)
    added = system.read_text(listed).split("\n")
    assert added[:4] == ["# This file", "#", "# C.UTF-8 UTF-8", "#en_US.UTF-8 UTF-8  "]
    assert added[4:] == [line, ""]
    assert line.split()[0] in system.read_text("/etc/locale.conf")


def test_a_line_that_is_switched_off_is_switched_on(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/locale.gen": "#de_AT.UTF-8 UTF-8  \n# de_CH.UTF-8 UTF-8\n"})
    apply(system, "de_AT.UTF-8")
    assert system.read_text("/etc/locale.gen") == "de_AT.UTF-8 UTF-8\n# de_CH.UTF-8 UTF-8\n"


def test_an_unknown_one_is_told_with_the_nearest_and_changes_nothing(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/locale.gen": "# de_AT.UTF-8 UTF-8\n", "/etc/locale.conf": "\n"})
    with pytest.raises(ProvisioningError, match="locale is unknown") as caught:
        apply(system, "de_XT.UTF-8")
    assert caught.value.details["hint"] == "did you mean de_AT.UTF-8?"
    assert system.read_text("/etc/locale.gen") == "# de_AT.UTF-8 UTF-8\n"
    assert system.read_text("/etc/locale.conf") == "\n"


def test_one_whose_package_is_missing_is_written_and_told(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/locale.conf": ""})
    outcome = apply(system, "fr_FR.UTF-8")
    assert "glibc-langpack" in outcome.warnings[0] and not system.exists("/etc/locale.gen")
    assert system.read_text("/etc/locale.conf") == "LANG=fr_FR.UTF-8\n"


def test_where_dpkg_is_its_package_will_make_it(tmp_path: Any) -> None:
    system = host(tmp_path, {"/var/lib/dpkg/status": ""})
    assert "locales" in apply(system, "fr_FR.UTF-8").warnings[0]
    assert system.read_text("/etc/locale.gen") == "fr_FR.UTF-8 UTF-8\n"


def test_musl_takes_any_name(tmp_path: Any) -> None:
    files = {"/lib/ld-musl-x86_64.so.1": "", "/etc/profile.d/locale.sh": ALPINE}
    system = host(tmp_path, files)
    assert apply(system, "xx_YY.UTF-8").warnings == ()
    assert "export LANG=${LANG:-xx_YY.UTF-8}" in system.read_text("/etc/profile.d/locale.sh")


def test_what_counts_more_is_told(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/default/locale": "LANG=C\nLC_ALL=C\n"})
    assert "has LC_ALL, too" in apply(system, "de_DE.UTF-8").warnings[0]


def test_a_file_that_cannot_be_written_does_not_keep_it_out_of_the_others(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/locale.conf": "LANG=C\n"})
    system.make_dir("/etc/default/locale")
    outcome = apply(system, "de_DE.UTF-8")
    assert outcome.message == "locale is de_DE.UTF-8 (/etc/locale.conf)"
    assert "/etc/default/locale" in outcome.warnings[0]
    system.remove("/etc/locale.conf")
    with pytest.raises(ProvisioningError, match="file cannot be read"):
        apply(system, "de_DE.UTF-8")


@pytest.mark.parametrize("given", [False, "no", "false", None])
def test_false_leaves_it(tmp_path: Any, given: Any) -> None:
    settings = locale.from_cloud_config({"locale": given})
    assert locale.apply(Instance("id"), host(tmp_path, {}), settings).skipped
    assert not os.path.exists(str(tmp_path / "etc"))


def test_a_cloud_config_gives_both() -> None:
    values = {"locale": "de_DE.UTF-8", "locale_configfile": "/opt/x"}
    assert locale.from_cloud_config(values) == {"locale": "de_DE.UTF-8", "file": "/opt/x"}
    values = {"locale": "de_DE; reboot", "locale_configfile": "x"}
    assert locale.from_cloud_config(values) == {"locale": "", "file": ""}
