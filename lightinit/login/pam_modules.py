"""Evaluates the modules of a PAM stack for the admin, from the files that they read."""

from __future__ import annotations

import os
import re
from functools import partial
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.pam import access, conditions, limits
from lightinit.formats.pam.stack import PamEntry, read_stack
from lightinit.host.system import System
from lightinit.login import asking
from lightinit.login.answers import ask_once, states_of
from lightinit.login.question import Question
from lightinit.model import NamedTuple

FOLDERS = ("/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d", "/usr/share/pam.d")
MODULE_FOLDERS = ("/lib*/security", "/lib/*/security", "/usr/lib*/security", "/usr/lib/*/security")
ETC_NOLOGIN, RUN_NOLOGIN = "/etc/nologin", "/run/nologin"
# systemd makes /run/nologin early in each boot, and removes it when logins are allowed.
SYSTEMD = "/run/systemd/system"
REMOVER = "/etc/systemd/system/systemd-user-sessions.service"
BOOTING = "System is booting up"
# From this version on, systemd leaves /etc/nologin alone at boot (systemd#26981).
KEEPS_NOLOGIN = 254
LIMITS_CONF, LIMITS_PARTS = "/etc/security/limits.conf", "/etc/security/limits.d/*.conf"
ACCESS_CONF, ACCESS_PARTS = "/etc/security/access.conf", "/etc/security/access.d/*.conf"
# These modules do not refuse a new local account.
HARMLESS = {
    "pam_unix.so",
    "pam_permit.so",
    "pam_localuser.so",
    "pam_rootok.so",
    "pam_usertype.so",
    "pam_sss.so",
    "pam_ldap.so",
    "pam_winbind.so",
    "pam_krb5.so",
    "pam_ldapd.so",
    "pam_systemd.so",
    "pam_systemd_home.so",
    "pam_faillock.so",
    "pam_tally2.so",
    "pam_warn.so",
    "pam_debug.so",
    "pam_env.so",
    "pam_faildelay.so",
    "pam_fprintd.so",
    "pam_group.so",
    "pam_gnome_keyring.so",
    "pam_kwallet5.so",
    "pam_securetty.so",
    "pam_sepermit.so",
    "pam_echo.so",
    "pam_motd.so",
    "pam_cap.so",
    "pam_lastlog.so",
    "pam_tcb.so",
    "pam_mkhomedir.so",
    "pam_oddjob_mkhomedir.so",
    "pam_himmelblau.so",
    "pam_aad.so",
}


class PamVerdict(NamedTuple):
    """The answer of one module: whether it refuses (None: unknown), why, and what to do."""

    refuses: Optional[bool]
    why: str = ""
    hint: str = ""


PASSES = PamVerdict(False)


def judge_stage(
    question: Question, service: str, kind: str, is_local: bool = False
) -> List[Tuple[bool, PamVerdict]]:
    """(whether it counts for certain, what it says) of each module of a stage.

    Args:
        question: about whom.
        service: the program that asks PAM. If it has no file, that of ``other`` counts.
        kind: auth, account or session.
        is_local: whether the user is logged in already.
    """
    read = partial(_read_service, question.system)
    entries = read_stack(service, kind, read) or read_stack("other", kind, read)
    found = [each._replace(service=service, is_local=is_local) for each in entries]
    folders = _list_module_folders(question.system)
    return [(each.certain, judge_module(question, each, folders)) for each in found]


def find_service(system: System, name: str) -> str:
    """The file of a service; "" if it has none."""
    paths = ["%s/%s" % (folder, name) for folder in FOLDERS]
    return next((path for path in paths if system.exists(path)), "")


def _read_service(system: System, name: str) -> str:
    if name.startswith("/"):
        return system.read_text(name)
    path = find_service(system, name)
    if not path:
        return ""
    return system.read_text(path)


def _list_module_folders(system: System) -> Sequence[str]:
    """The folders in which PAM may look for its modules; none in a scratch root, which need not
    have them.
    """
    if not system.live:
        return ()
    patterns: Tuple[str, ...] = MODULE_FOLDERS
    if system.path("/lib") == system.path("/usr/lib"):
        patterns = tuple(each for each in MODULE_FOLDERS if not each.startswith("/lib/"))
    return [found for each in patterns for found in system.glob(each)]


def judge_module(question: Question, entry: PamEntry, folders: Sequence[str]) -> PamVerdict:
    """What a module of the stack says about the admin.

    Args:
        question: about whom.
        entry: the module's line.
        folders: those of PAM's modules; if there are none, no module is known to be missing.
    """
    if _is_missing(question.system, entry, folders):
        if not entry.needed:
            return PASSES
        why = "%s asks %s, which does not exist" % (_stage_of(entry), entry.module)
        return PamVerdict(True, why, _hint_for(entry))
    if not entry.counts:
        return PASSES
    judge = JUDGES.get(entry.module)
    if judge is not None:
        return judge(question, entry)
    # Of the session's modules those that refuse are known.
    if entry.kind != "session" and entry.module not in HARMLESS:
        why = "%s asks %s, which lightinit cannot ask; look at /etc/pam.d/%s"
        return PamVerdict(None, why % (_stage_of(entry), entry.module, entry.service))
    return PASSES


def _stage_of(entry: PamEntry) -> str:
    return "PAM's %s stage for %s" % (entry.kind, entry.service)


def _hint_for(entry: PamEntry) -> str:
    return "correct /etc/pam.d/%s and what it includes, in the image" % entry.service


def _is_missing(system: System, entry: PamEntry, folders: Sequence[str]) -> bool:
    if not system.live or "$" in entry.path:
        return False
    if entry.path.startswith("/"):
        return not system.exists(entry.path)
    if any(system.exists("%s/%s" % (at, entry.module)) for at in folders):
        return False
    return any(system.exists(each + "/pam_unix.so") for each in folders)


def _judge_nologin(question: Question, entry: PamEntry) -> PamVerdict:
    named = [word[5:] for word in entry.arguments if word.startswith("file=")]
    if question.account.uid == 0:
        return PASSES
    if named:
        if not question.system.exists(named[0]):
            return PASSES
        return PamVerdict(True, "%s exists" % named[0], "remove that file in the image")
    if question.system.exists(RUN_NOLOGIN) and not _goes_by_itself(question.system):
        return PamVerdict(None, "%s exists: see who made it" % RUN_NOLOGIN)
    return judge_etc_nologin(question)


def _goes_by_itself(system: System) -> bool:
    """Whether systemd has made /run/nologin for this boot, and will remove it."""
    return _has_remover(system) and BOOTING in system.read_text(RUN_NOLOGIN)


def _has_remover(system: System) -> bool:
    """Whether systemd runs, and its service that removes /run/nologin is not masked."""
    if not system.is_dir(SYSTEMD):
        return False
    try:
        return os.readlink(system.path(REMOVER, follow_last=False)) != "/dev/null"
    except OSError:
        return True


def judge_etc_nologin(question: Question) -> PamVerdict:
    """The answer that follows from /etc/nologin. Without PAM, sshd itself checks this file."""
    if question.account.uid == 0 or not question.system.exists(ETC_NOLOGIN):
        return PASSES
    why = "%s exists, so only root can log in" % ETC_NOLOGIN
    if _removes_nologin(question.system):
        return PamVerdict(None, why + " until systemd removes it at the end of the boot")
    return PamVerdict(True, why, "remove that file in the image")


def _removes_nologin(system: System) -> bool:
    """Whether this boot's systemd removes /etc/nologin, as versions before 254 do."""
    if not system.live or not _has_remover(system):
        return False
    systemctl = system.tool("systemctl")
    if systemctl is None:
        return False
    key = ("systemd", states_of(system, [systemctl]))
    said = ask_once(system, key, partial(_ask_version, system, systemctl))
    match = re.match(r"systemd ([0-9]{1,6})", said)
    return match is None or int(match.group(1)) < KEEPS_NOLOGIN


def _ask_version(system: System, systemctl: str) -> str:
    try:
        return system.run([systemctl, "--version"]).stdout
    except ProvisioningError:
        return ""


def _judge_access(question: Question, entry: PamEntry) -> PamVerdict:
    options = dict(word.partition("=")[::2] for word in entry.arguments)
    rules = access.AccessRules(
        options.get("fieldsep") or ":",
        options.get("listsep") or ", \t",
        "nodefgroup" not in options,
    )
    address = asking.ANYWHERE
    if entry.is_local:
        address = ""
    visitor = access.Visitor(question.who.user, question.who.groups, address)
    paths = [options.get("accessfile") or ACCESS_CONF]
    if "accessfile" not in options:
        paths += question.system.glob(ACCESS_PARTS)
    depends = False
    for path in paths:
        found = access.judge_access(question.system.read_text(path), visitor, rules)
        depends = depends or found.depends
        if found.allowed is None:
            continue
        if found.allowed:
            break
        why = "%s refuses it: %s" % (path, found.line)
        if depends:
            return PamVerdict(None, why + " (other lines allow logins from some places)")
        return PamVerdict(True, why, "change that line in the image")
    return PASSES


def _judge_deny(question: Question, entry: PamEntry) -> PamVerdict:
    if not entry.certain:
        return PASSES  # the usual last line: what comes before it ends the stack
    return PamVerdict(True, _stage_of(entry) + " refuses all (pam_deny)", _hint_for(entry))


def _judge_condition(question: Question, entry: PamEntry) -> PamVerdict:
    account = question.account
    values = {
        "user": account.name,
        "uid": str(account.uid),
        "gid": str(account.gid),
        "home": account.home,
        "shell": account.shell,
        "service": entry.service,
    }
    shown = "pam_succeed_if in %s: %s" % (_stage_of(entry), " ".join(entry.arguments))
    result = conditions.succeed_if(entry.arguments, values, question.who.groups)
    if result is None:
        return PamVerdict(None, shown)
    if result:
        return PASSES
    return PamVerdict(True, "it does not meet " + shown, "change that line in the image")


def _judge_list(question: Question, entry: PamEntry) -> PamVerdict:
    item, path, allows, missing_lets_in = conditions.read_listfile(entry.arguments)
    names: Dict[str, Sequence[str]] = {
        "user": (question.who.user,),
        "group": question.who.groups,
        "shell": (question.account.shell,),
    }
    shown = "pam_listfile in %s: item=%s %s" % (_stage_of(entry), item, path)
    if item not in names or any(word.startswith("apply=") for word in entry.arguments):
        return PamVerdict(None, shown)
    if not question.system.exists(path):
        if missing_lets_in:
            return PASSES
        return PamVerdict(True, "%s does not exist" % path, "make that file in the image")
    # The module drops a carriage return at the end, but no blank.
    lines = question.system.read_text(path).replace("\r\n", "\n").split("\n")
    if any(name in lines for name in names[item]) == allows:
        return PASSES
    return PamVerdict(True, shown + " refuses it", "change that file in the image")


def _judge_time(question: Question, entry: PamEntry) -> PamVerdict:
    lines = question.system.read_text("/etc/security/time.conf").split("\n")
    if any(line.strip() and not line.lstrip().startswith("#") for line in lines):
        return PamVerdict(None, "it depends on the time of the login: look at time.conf")
    return PASSES


def _judge_shells(question: Question, entry: PamEntry) -> PamVerdict:
    shells = question.system.read_text("/etc/shells").split("\n")
    if question.account.shell in shells:
        return PASSES
    why = "its shell %s is not in /etc/shells, which pam_shells reads" % question.account.shell
    return PamVerdict(True, why, "add it to that file in the image")


def _judge_limits(question: Question, entry: PamEntry) -> PamVerdict:
    named = [word[5:] for word in entry.arguments if word.startswith("conf=")]
    paths = named or [LIMITS_CONF] + question.system.glob(LIMITS_PARTS)
    texts = [question.system.read_text(path) for path in paths]
    limit, line = limits.find_login_limit(texts, question.who.user, question.who.groups)
    if limit != 0 or entry.kind != "session":
        return PASSES
    why = "pam_limits allows no login: %s" % line
    return PamVerdict(True, why, "change that line of limits.conf in the image")


JUDGES: Dict[str, Callable[[Question, PamEntry], PamVerdict]] = {
    "pam_nologin.so": _judge_nologin,
    "pam_access.so": _judge_access,
    "pam_deny.so": _judge_deny,
    "pam_succeed_if.so": _judge_condition,
    "pam_limits.so": _judge_limits,
    "pam_listfile.so": _judge_list,
    "pam_time.so": _judge_time,
    "pam_shells.so": _judge_shells,
}
