"""The module keyboard on scratch roots: every file from which some host takes its keyboard."""

from __future__ import annotations

import os
from typing import Any, Dict

import pytest

from lightinit.errors import ProvisioningError
from lightinit.formats.services.keyboards import Keyboard
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import keyboard

TABLE = (
    "# consolelayout xlayout xmodel xvariant xoptions\n"
    "de-latin1 de pc105 - terminate\nde-latin1-nodeadkeys de pc105 nodeadkeys terminate\n"
    "uk gb pc105 - x\nmk-utf mk,us pc105 - x\n"
)
RULES = (
    "! model\n  pc105           Generic 105-key PC\n! layout\n  de  German\n  gb  English (UK)\n"
    "! variant\n  nodeadkeys      de: German (no dead keys)\n! option\n  compose  Compose\n"
)
DEBIAN = (
    '# KEYBOARD\nXKBMODEL="pc104"\nXKBLAYOUT=us\nXKBVARIANT=""\nXKBOPTIONS=""\n\nBACKSPACE="x"\n'
)


def host(root: Any, files: Dict[str, str], *keymaps: str) -> System:
    system = System(root)
    for name, text in files.items():
        system.write(name, text.encode(), 0o640)
    for name in keymaps:
        system.write("/usr/share/kbd/keymaps/i386/%s.map.gz" % name, b"")
    if keymaps:
        system.write("/usr/share/systemd/kbd-model-map", TABLE.encode())
    return system


def apply(system: System, **given: str) -> Outcome:
    settings = keyboard.from_cloud_config({"keyboard": given})
    return keyboard.apply(Instance("id"), system, settings)


def test_debians_file(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/default/keyboard": DEBIAN})
    outcome = apply(system, layout="us,de", variant=",nodeadkeys", options="grp:alt_shift_toggle")
    assert outcome == Outcome("keyboard is us,de (/etc/default/keyboard)")
    assert system.read_text("/etc/default/keyboard") == (
        '# KEYBOARD\nXKBMODEL="pc105"\nXKBLAYOUT="us,de"\nXKBVARIANT=",nodeadkeys"\n'
        'XKBOPTIONS="grp:alt_shift_toggle"\n\nBACKSPACE="x"\n'
    )
    assert os.stat(system.path("/etc/default/keyboard")).st_mode & 0o777 == 0o640


def test_where_dpkg_is_its_package_will_read_it(tmp_path: Any) -> None:
    system = host(tmp_path, {"/var/lib/dpkg/status": ""})
    assert apply(system, layout="de").warnings == ()
    assert 'XKBLAYOUT="de"' in system.read_text("/etc/default/keyboard")


@pytest.mark.parametrize(
    "given, keymaps, found",
    [
        ({"layout": "de"}, ["i386/de", "de-latin1"], "de"),
        ({"layout": "de"}, ["qwertz/de-latin1"], "de-latin1"),
        ({"layout": "gb"}, ["qwerty/uk", "qwerty/us"], "uk"),
        ({"layout": "de", "variant": "nodeadkeys"}, ["xkb/de-nodeadkeys", "de"], "de-nodeadkeys"),
        ({"layout": "de", "variant": "nodeadkeys"}, ["x/de", "x/de-latin1-nodeadkeys"], None),
        ({"layout": "mk,us"}, ["x/mk-utf"], "mk-utf"),
        ({"layout": "mk"}, [], "mk"),
    ],
)
def test_the_consoles_keymap_is_found(tmp_path: Any, given: Any, keymaps: Any, found: Any) -> None:
    files = {"/etc/vconsole.conf": "FONT=x\nKEYMAP=us\n"}
    system = host(tmp_path, files, *keymaps)
    assert apply(system, **given).warnings == ()
    wanted = found or "de-latin1-nodeadkeys"
    text = system.read_text("/etc/vconsole.conf")
    assert text.startswith('FONT=x\nKEYMAP="%s"\nXKBLAYOUT=' % wanted)


def test_without_a_keymap_the_console_keeps_its_own(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/vconsole.conf": "KEYMAP=us\n"}, "x/us")
    assert "no keymap of the console" in apply(system, layout="de").warnings[0]
    assert system.read_text("/etc/vconsole.conf").startswith("KEYMAP=us\nXKBLAYOUT=")


@pytest.mark.parametrize(
    "name, before, after",
    [
        ("/etc/conf.d/keymaps", '# x\nkeymap="us"\n', '# x\nkeymap="de"\n'),
        ("/etc/sysconfig/keyboard", "KEYMAP=us\n", 'KEYMAP="de"\n'),
        ("/etc/rc.conf", '# Void\n# KEYMAP="es"\nFONT=x\n', '# Void\nKEYMAP="de"\nFONT=x\n'),
    ],
)
def test_other_files(tmp_path: Any, name: str, before: str, after: str) -> None:
    system = host(tmp_path, {name: before})
    for _ in range(2):
        assert apply(system, layout="de").message == "keyboard is de (%s)" % name
        assert system.read_text(name) == after


def test_slackwares_script_can_be_executed(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/rc.d/rc.S": "", "/usr/bin/loadkeys": ""})
    apply(system, layout="de")
    assert '/usr/bin/loadkeys "de"' in system.read_text("/etc/rc.d/rc.keymap")
    assert os.stat(system.path("/etc/rc.d/rc.keymap")).st_mode & 0o777 == 0o755


def test_alpines_keymap_is_copied_and_its_service_starts(tmp_path: Any) -> None:
    system = host(
        tmp_path,
        {
            "/usr/share/bkeymaps/de/de.bmap.gz": "plain",
            "/usr/share/bkeymaps/de/de-nodeadkeys.bmap.gz": "dead",
            "/etc/init.d/loadkmap": "",
        },
    )
    for variant in ("nodeadkeys", "de-nodeadkeys"):
        apply(system, layout="de", variant=variant)
        assert system.read_text("/etc/conf.d/loadkmap") == (
            'KEYMAP="/etc/keymap/de-nodeadkeys.bmap.gz"\n'
        )
    assert system.read("/etc/keymap/de-nodeadkeys.bmap.gz") == b"dead"
    assert os.readlink(system.root + "/etc/runlevels/boot/loadkmap") == "/etc/init.d/loadkmap"
    system.remove_tree("/usr/share/bkeymaps")
    assert "kbd-bkeymaps" in apply(system, layout="de").warnings[0]


@pytest.mark.parametrize(
    "given, said",
    [
        ({"layout": "dde"}, "did you mean de?"),
        ({"layout": "de", "variant": "nodeadkey"}, "did you mean de(nodeadkeys)?"),
        ({"layout": "de", "model": "pc9105"}, "did you mean pc105?"),
    ],
)
def test_what_xkb_does_not_know_is_told_with_the_nearest(
    tmp_path: Any, given: Dict[str, str], said: str
) -> None:
    files = {"/usr/share/X11/xkb/rules/base.lst": RULES, "/etc/default/keyboard": DEBIAN}
    system = host(tmp_path, files)
    with pytest.raises(ProvisioningError, match="keyboard is unknown") as caught:
        apply(system, **given)
    assert caught.value.details["hint"] == said
    assert system.read_text("/etc/default/keyboard") == DEBIAN
    apply(system, layout="gb,de", variant=",nodeadkeys")


def test_a_host_that_reads_none_is_told(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/x": ""})
    assert "to `packages`" in apply(system, layout="de").warnings[0]
    assert os.listdir(system.root + "/etc") == ["x"]


def test_one_file_that_fails_does_not_stop_the_others(tmp_path: Any) -> None:
    system = host(tmp_path, {"/etc/vconsole.conf": "KEYMAP=us\n"})
    system.make_dir("/etc/default/keyboard")
    outcome = apply(system, layout="de")
    assert outcome.message == "keyboard is de (/etc/vconsole.conf)"
    assert "/etc/default/keyboard" in outcome.warnings[0]


@pytest.mark.parametrize("layout", ["", "de; reboot", 'de"', "$(x)"])
def test_what_is_no_layout_is_left_out(tmp_path: Any, layout: str) -> None:
    assert keyboard.from_cloud_config({"keyboard": {"layout": layout}}) == {}
    assert keyboard.apply(Instance("id"), host(tmp_path, {}), {}).skipped


def test_a_cloud_config_gives_all_four() -> None:
    given = {"layout": "de", "model": "pc104", "variant": "nodeadkeys", "options": "compose:rwin"}
    wanted = Keyboard("de", "pc104", "nodeadkeys", "compose:rwin")
    assert keyboard.from_cloud_config({"keyboard": given}) == {"keyboard": wanted}
