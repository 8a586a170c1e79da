"""Sets the keyboard that a cloud-config asks for, in each file from which this host takes it.

The console has it from the next boot on. A VM has a keyboard only in Hyper-V's window; logins over
SSH and the serial console use the keyboard of their own side.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.services.keyboards import (
    Keyboard,
    find_unknown,
    list_keymaps,
    read_rules,
    set_quoted,
)
from lightinit.host.accounts.tools import has_tool
from lightinit.host.files.access import NEW_FILE, Access
from lightinit.host.files.selinux import restore_labels
from lightinit.host.files.text import read_text_file, write_text_file
from lightinit.host.init import systemd
from lightinit.host.system import System
from lightinit.model import Instance, NamedTuple, Outcome
from lightinit.settings import ModuleSettings, nearest

RULES = ("/usr/share/X11/xkb/rules/base.lst", "/usr/share/X11/xkb/rules/evdev.lst")
TABLE = "/usr/share/systemd/kbd-model-map"
KEYMAPS = ("/usr/share/kbd/keymaps", "/usr/share/keymaps", "/lib/kbd/keymaps")
KEYMAP_FILES = ("/*/*/%s.*map*", "/*/%s.*map*", "/*/*/*/%s.*map*")
DEBIAN_FILE, VCONSOLE = "/etc/default/keyboard", "/etc/vconsole.conf"
ALPINE_FILE, ALPINE_MAPS = "/etc/conf.d/loadkmap", "/usr/share/bkeymaps"
SLACKWARE_FILE = "/etc/rc.d/rc.keymap"
LIMIT_S = 20.0


class KeyboardFile(NamedTuple):
    """A file that names the keyboard.

    Attributes:
        path: the file.
        is_used: whether this host takes the keyboard from it.
        edit: makes its new text of the old one, the keyboard, and the console's keymap ("" if there
            is none).
        new: its mode and owner if it is made.
    """

    path: str
    is_used: Callable[[System], bool]
    edit: Callable[[str, Keyboard, str], str]
    new: Access = NEW_FILE


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Set the keyboard.

    Args:
        instance: not used.
        system: the machine.
        settings: ``keyboard``, as the cloud-config has it.

    Returns:
        The layout, and where it was written; a warning if nothing reads it here, or a console's
        keymap is missing.

    Raises:
        ProvisioningError: there is no such keyboard, or no file could be written.
    """
    keyboard = settings.get("keyboard")
    if keyboard is None:
        return Outcome("keyboard left as it is", skipped=True)
    _check(system, keyboard)
    warnings: List[str] = []
    keymap = _find_keymap(system, keyboard)
    if keymap is None:
        keymap = ""
        what = "there is no keymap of the console for the layout %s; /usr/share/kbd has them"
        warnings.append(what % keyboard.layout)
    written = _write(system, keyboard, keymap, warnings)
    if system.exists(ALPINE_FILE) or system.is_dir(ALPINE_MAPS):
        written += _set_alpine(system, keyboard, warnings)
    if not written:
        text = "nothing here takes a keyboard from a file; add console-setup or kbd to `packages`"
        return Outcome("keyboard left as it is", tuple(warnings) or (text,))
    _apply_live(system, written, warnings)
    message = "keyboard is %s (%s)" % (keyboard.layout, ", ".join(written))
    return Outcome(message, tuple(warnings))


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """What a cloud-config says of this module's settings."""
    from lightinit.formats.cloud_config.readers.services import read_services

    given = read_services(values)[0].keyboard
    if given is None:
        return {}
    return {"keyboard": Keyboard(*given)}


def _check(system: System, keyboard: Keyboard) -> None:
    """Refuse what XKB does not know, if its list is installed."""
    text = next(filter(None, map(system.read_text, RULES)), "")
    if not text:
        return
    rules = read_rules(text)
    for kind, name in find_unknown(keyboard, rules):
        near = nearest(name, sorted(rules[kind]))
        hint = "the %ss are listed in %s" % (kind, RULES[0])
        if near:
            hint = "did you mean %s?" % near
        raise ProvisioningError("keyboard is unknown", **{kind: name, "hint": hint})


def _find_keymap(system: System, keyboard: Keyboard) -> Optional[str]:
    """The console's keymap; None if keymaps are installed, but none for this keyboard."""
    names = list_keymaps(keyboard, system.read_text(TABLE))
    folders = [folder for folder in KEYMAPS if system.list_dir(folder)]
    if not folders:
        return names[0]
    for name in names:
        for folder in folders:
            if any(system.glob(folder + each % name) for each in KEYMAP_FILES):
                return name
    return None


def _write(system: System, keyboard: Keyboard, keymap: str, warnings: List[str]) -> List[str]:
    """Write each file that this host uses. One that fails does not keep it out of the others."""
    written: List[str] = []
    failed: List[ProvisioningError] = []
    for place in PLACES:
        try:
            if not place.is_used(system):
                continue
            before = read_text_file(system, place.path) or ""
            after = place.edit(before, keyboard, keymap)
            if after != before:
                write_text_file(system, place.path, after, place.new)
                restore_labels(system, [place.path])
            if after:
                written.append(place.path)
        except ProvisioningError as error:
            failed.append(error)
    if failed and not written:
        raise failed[0]
    warnings += [str(error) for error in failed]
    return written


def _set_alpine(system: System, keyboard: Keyboard, warnings: List[str]) -> List[str]:
    """Alpine's service loads a keymap that is made for busybox, and is a file of its own."""
    layout = keyboard.layout.split(",")[0].strip()
    variant = keyboard.variant.split(",")[0].strip() or layout
    for each in (variant, "%s-%s" % (layout, variant), layout):
        source = "%s/%s/%s.bmap.gz" % (ALPINE_MAPS, layout, each)
        if system.exists(source):
            target = "/etc/keymap/%s.bmap.gz" % each
            system.write(target, system.read(source))
            text = read_text_file(system, ALPINE_FILE) or ""
            write_text_file(system, ALPINE_FILE, set_quoted(text, "KEYMAP", target))
            _start_at_boot(system)
            return [ALPINE_FILE]
    warnings.append("the console's keymap %s is not there: add kbd-bkeymaps to `packages`" % layout)
    return []


def _start_at_boot(system: System) -> None:
    if system.exists("/etc/init.d/loadkmap") and not system.glob("/etc/runlevels/*/loadkmap"):
        system.link("/etc/runlevels/boot/loadkmap", "/etc/init.d/loadkmap")


def _apply_live(system: System, written: List[str], warnings: List[str]) -> None:
    """Debian's scripts load a copy that setupcon has made."""
    setupcon = system.tool("setupcon")
    if setupcon is None or DEBIAN_FILE not in written:
        return
    try:
        ended = system.run([setupcon, "--keyboard-only", "--save-only"], timeout_s=LIMIT_S)
    except ProvisioningError as error:
        warnings.append(str(error))
        return
    if not ended.ok:
        warnings.append("setupcon cannot prepare the keyboard: %s" % ended.last_words)


# -- the files
# --------------------------------------------------------------------------------------------------


def _has_debian_file(system: System) -> bool:
    """Debian's own, also before its package is installed, which takes what is there."""
    if system.exists(DEBIAN_FILE) or has_tool(system, "setupcon"):
        return True
    return system.exists("/var/lib/dpkg/status") and not system.exists(VCONSOLE)


def _has_vconsole(system: System) -> bool:
    if system.exists(VCONSOLE):
        return True
    return systemd.is_installed(system) and not _has_debian_file(system)


def _names(key: str) -> Callable[[str, Keyboard, str], str]:
    """Sets the console's keymap by this key."""

    def edit(text: str, keyboard: Keyboard, keymap: str) -> str:
        if not keymap:
            return text
        return set_quoted(text, key, keymap)

    return edit


def _edit_xkb(text: str, keyboard: Keyboard, _keymap: str) -> str:
    for key, value in zip(("LAYOUT", "MODEL", "VARIANT", "OPTIONS"), keyboard):
        text = set_quoted(text, "XKB" + key, value)
    if not text.count("BACKSPACE="):
        text += 'BACKSPACE="guess"\n'
    return text


def _edit_vconsole(text: str, keyboard: Keyboard, keymap: str) -> str:
    text = _names("KEYMAP")(text, keyboard, keymap)
    for key, value in zip(("LAYOUT", "MODEL", "VARIANT", "OPTIONS"), keyboard):
        if value or "XKB" + key in text:
            text = set_quoted(text, "XKB" + key, value)
    return text


def _edit_rc_keymap(text: str, _keyboard: Keyboard, keymap: str) -> str:
    if not keymap:
        return text
    return (
        "#!/bin/sh\n# Load the keyboard map.\n"
        'if [ -x /usr/bin/loadkeys ]; then\n  /usr/bin/loadkeys "%s"\nfi\n' % keymap
    )


def _exists(path: str) -> Callable[[System], bool]:
    return lambda system: system.exists(path)


PLACES: Tuple[KeyboardFile, ...] = (
    KeyboardFile(DEBIAN_FILE, _has_debian_file, _edit_xkb),
    KeyboardFile(VCONSOLE, _has_vconsole, _edit_vconsole),
    KeyboardFile("/etc/conf.d/keymaps", _exists("/etc/conf.d/keymaps"), _names("keymap")),  # Gentoo
    KeyboardFile("/etc/sysconfig/keyboard", _exists("/etc/sysconfig/keyboard"), _names("KEYMAP")),
    KeyboardFile(
        "/etc/rc.conf",  # Void
        lambda system: "KEYMAP=" in system.read_text("/etc/rc.conf"),
        _names("KEYMAP"),
    ),
    KeyboardFile(
        SLACKWARE_FILE,
        lambda system: system.exists("/etc/rc.d/rc.S") and system.exists("/usr/bin/loadkeys"),
        _edit_rc_keymap,
        Access(0o755),
    ),
)
