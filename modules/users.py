"""Make the admin account that the platform names, give it the platform's password, and make an
admin of it.

An account that is there already stays as it is: only what is missing is added, and a password that
the platform gives takes the place of another. Each step looks first at what there is, so an account
that a crash left half made is completed by the next run.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Dict, List, Optional, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import passwd as texts
from lightinit.formats.accounts import passwords as given
from lightinit.formats.accounts import privileges as rules
from lightinit.host.accounts import files, passwords, privileges, tools
from lightinit.host.accounts.privileges import (
    DOAS_CONF,
    DOAS_FILE,
    DOAS_FOLDER,
    SUDOERS_FILE,
    SUDOERS_FOLDER,
)
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome, User
from lightinit.settings import ModuleSettings, Setting

LOG = logging.getLogger("lightinit.users")

NAME = "users"
FREQUENCY = Frequency.INSTANCE
REQUIRED = True
OPENS_LOGIN = True
SETTINGS: Tuple[Setting, ...] = (
    Setting(
        "shell",
        "path",
        "",
        "Login shell of a new account; empty: the host's own choice, /bin/bash or /bin/sh.",
    ),
    Setting(
        "groups",
        "words",
        (
            "adm",
            "sudo",
            "wheel",
            "systemd-journal",
            "dialout",
            "cdrom",
            "floppy",
            "audio",
            "video",
            "dip",
            "plugdev",
            "netdev",
        ),
        "Groups that the admin joins, those of them that the host has.",
    ),
    Setting(
        "privileges",
        "text",
        "auto",
        "What sudo or doas asks of the admin; auto: a password only when password login is on.",
        ("auto", "nopasswd", "password", "none"),
    ),
)

PASSWD, SHADOW, GROUP, GSHADOW = "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"
SUDOERS = ("/etc/sudoers", "/usr/etc/sudoers")


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Make the instance's admin account, or complete it.

    Args:
        instance: its ``admin`` says the name, the password, and whether password login is on.
        system: the machine.
        settings: as in ``SETTINGS``.

    Returns:
        What was done.

    Raises:
        ProvisioningError: the name may not be used, the account could not be made, or its password
            not be set.
    """
    if instance.admin is None:
        return Outcome(
            "no admin account asked for", ("the platform names no admin user",), skipped=True
        )
    name = texts.check_user_name(instance.admin.name)
    warnings: List[str] = []
    done: List[str] = []
    account = _find(system, name)
    made = account is None
    if account is None:
        account = _make(system, name, settings, warnings)
    else:
        uid_min = texts.read_number(_login_defs(system), "UID_MIN", texts.UID_MIN)
        texts.check_admin_account(account, uid_min, partial(tools.can_be_shell, system))
    local = texts.find_account(_text(system, PASSWD), name) is not None
    if local:
        done += _complete(system, account, made)
    done += _join_groups(system, account, settings["groups"], local)
    failure: Optional[ProvisioningError] = None
    try:
        done += _set_password(system, instance.admin, local)
    except ProvisioningError as error:
        # Whoever has a key can log in all the same, and needs the privileges to fix it.
        failure = error
    if settings["privileges"] != "none":
        has_password = texts.is_password_hash(_password_field(system, name))
        password = settings["privileges"] == "password" or (
            settings["privileges"] == "auto"
            and given.login_wished(instance.admin) is True
            and has_password
        )
        if password and not has_password:
            warnings.append(
                "privileges = password, but %s has no password: set one, or nobody becomes root"
                % name
            )
        done += _grant(system, name, password, warnings)
    if (
        failure is None
        and instance.admin.had_password
        and not texts.is_password_hash(_password_field(system, name))
    ):
        failure = ProvisioningError(
            "password is no longer at hand",
            user=name,
            hint="it was forgotten when the VM was ready: set one with passwd",
        )
    if failure is not None:
        raise failure
    message = "made user %s" % name if made else "user %s was there already" % name
    LOG.debug(
        "uid %d, home %s; done: %s", account.uid, account.home, ", ".join(done) or "nothing more"
    )
    return Outcome(
        message + ("; added " + ", ".join(done) if done and not made else ""), tuple(warnings)
    )


# -- the account
# --------------------------------------------------------------------------------------------------


def _text(system: System, path: str) -> str:
    return files.read_account_file(system, path)


def _login_defs(system: System) -> Dict[str, str]:
    return texts.read_login_defs(system.read_text("/etc/login.defs"))


def _defaults(system: System) -> Dict[str, str]:
    """What useradd starts with, as far as it is a path: HOME (where the homes are), SKEL, SHELL."""
    found = texts.read_assignments(system.read_text("/etc/default/useradd"))
    paths = {key: value for key, value in found.items() if value.startswith("/")}
    return dict({"HOME": "/home", "SKEL": "/etc/skel", "SHELL": ""}, **paths)


def _find(system: System, name: str) -> Optional[texts.Account]:
    account = texts.find_account(_text(system, PASSWD), name)
    if account is None:
        elsewhere = tools.look_up_elsewhere(system, name)
        account = texts.Account(name, *elsewhere) if elsewhere else None
    return account


def _make(
    system: System, name: str, settings: ModuleSettings, warnings: List[str]
) -> texts.Account:
    defaults = _defaults(system)
    shell = _choose_shell(system, settings["shell"], defaults["SHELL"], warnings)
    group_text = _text(system, GROUP)
    has_group = texts.find_group(group_text, name) is not None
    groups = tuple(
        group
        for group in settings["groups"]
        if group != name and texts.find_group(group_text, group) is not None
    )
    tool = tools.add_user(
        system, tools.NewUser(name, shell, group=name if has_group else None, groups=groups)
    )
    if tool is None:
        _edit_in(system, name, shell, defaults["HOME"])
    account = _find(system, name)
    if account is None:
        raise ProvisioningError(
            "account is missing after it was made", user=name, tool=tool or "lightinit"
        )
    LOG.debug("account %s made by %s", name, tool or "editing the account files")
    return account


def _choose_shell(system: System, wished: str, of_useradd: str, warnings: List[str]) -> str:
    """The settings' shell; else the one that the image's maker chose for useradd; else bash; else
    sh.
    """
    if wished:
        if system.exists(wished):
            return wished
        warnings.append("shell %s of the settings is not there: another one is taken" % wished)
    # /bin/sh in default/useradd is what useradd comes with: nobody has chosen it.
    for shell in (of_useradd if of_useradd != "/bin/sh" else "", "/bin/bash"):
        if shell and system.exists(shell) and texts.Account("", 0, 0, "", shell).can_log_in:
            return shell
    return "/bin/sh"


def _edit_in(system: System, name: str, shell: str, homes: str) -> None:
    """Make the account in the files themselves.

    What the next run asks first comes last: gshadow before group, and passwd at the very end. So a
    crash in between leaves nothing that looks whole and is not.
    """
    login_defs = _login_defs(system)
    with files.lock_accounts(system):
        passwd, group = _text(system, PASSWD), _text(system, GROUP)
        uid = texts.choose_id(
            texts.used_ids(passwd),
            texts.read_number(login_defs, "UID_MIN", texts.UID_MIN),
            texts.read_number(login_defs, "UID_MAX", 60000),
        )
        gid = texts.find_group(group, name)
        if gid is None:
            gid = texts.choose_id(
                texts.used_ids(group),
                texts.read_number(login_defs, "GID_MIN", 1000),
                texts.read_number(login_defs, "GID_MAX", 60000),
                wished=uid,
            )
            files.edit_account_file(system, GSHADOW, partial(texts.put_line, line="%s:!::" % name))
            files.edit_account_file(
                system, GROUP, partial(texts.put_line, line="%s:x:%d:" % (name, gid)), 0o644
            )
        account = texts.Account(name, uid, gid, "%s/%s" % (homes.rstrip("/"), name), shell)
        line = texts.passwd_line(account)
        if _has_shadow(system):
            # A line of an account of this name that was removed must not bring its password back.
            _edit_shadow(system, name)
        else:
            line = texts.passwd_line(account, texts.NO_PASSWORD)
        files.edit_account_file(system, PASSWD, partial(texts.put_line, line=line), 0o644)


def _has_shadow(system: System) -> bool:
    return system.exists(SHADOW) or not system.live


def _edit_shadow(system: System, name: str) -> None:
    line = texts.shadow_line(name, tools.today(system))
    files.edit_account_file(system, SHADOW, partial(texts.put_line, line=line), 0o640)


# -- what may be missing
# -----------------------------------------------------------------------------------------------


def _complete(system: System, account: texts.Account, made: bool) -> List[str]:
    done = []
    name = account.name
    if account.gid not in texts.used_ids(_text(system, GROUP)):
        group = (
            name
            if texts.find_group(_text(system, GROUP), name) is None
            else "%s-%d" % (name, account.gid)
        )
        with files.lock_accounts(system):
            line = "%s:x:%d:" % (group, account.gid)
            files.edit_account_file(system, GROUP, partial(texts.put_line, line=line), 0o644)
        done.append("its primary group")
    done += _complete_password(system, name)
    done += _complete_last_change(system, name)
    defaults = _defaults(system)
    usual = "%s/%s" % (defaults["HOME"].rstrip("/"), name)
    if tools.make_home(
        system,
        account.home,
        (account.uid, account.gid),
        texts.home_mode(_login_defs(system)),
        defaults["SKEL"],
        adopt=made or account.home == usual,
    ):
        done.append("its home")
    if made or done:
        tools.restore_labels(system, [account.home])
    return done


def _complete_password(system: System, name: str) -> List[str]:
    """Where the account never had a password, say so in the way that sshd does not take for a
    lock.
    """
    if not _has_shadow(system):
        path, field, there = PASSWD, texts.find_field(_text(system, PASSWD), name, 1), True
    else:
        path, field = SHADOW, texts.find_field(_text(system, SHADOW), name, 1)
        there = field is not None
        if (
            not there
            and texts.find_field(_text(system, PASSWD), name, 1) not in ("x",) + texts.NEVER_SET
        ):
            return []  # its password is in passwd itself
    if there and field not in texts.NEVER_SET:
        return []
    if there and tools.set_password_mark(system, name, texts.NO_PASSWORD):
        return ["login without a password"]
    with files.lock_accounts(system):
        if there:
            files.edit_account_file(
                system, path, lambda text: texts.set_field(text, name, 1, texts.NO_PASSWORD)
            )
        else:
            _edit_shadow(system, name)
    return ["login without a password"] if there else ["its line in shadow"]


def _complete_last_change(system: System, name: str, ours: bool = False) -> List[str]:
    """Where shadow says 'must be changed' (day 0) of a password that is not there, or is ``ours``,
    say today.

    busybox's adduser and chpasswd write a 0 while the clock is still in 1970, and then every login
    ends in that demand.
    """
    text = _text(system, SHADOW)
    day = texts.find_field(text, name, 2)
    if (
        not day
        or day.strip("0")
        or (not ours and texts.is_password_hash(texts.find_field(text, name, 1)))
    ):
        return []
    value = texts.last_change(tools.today(system))
    with files.lock_accounts(system):
        files.edit_account_file(
            system, SHADOW, partial(texts.set_field, name=name, field=2, value=value)
        )
    return ["the day of its last change in shadow"]


def _password_field(system: System, name: str) -> Optional[str]:
    return texts.find_password(_text(system, PASSWD), _text(system, SHADOW), name)


def _set_password(system: System, admin: User, local: bool) -> List[str]:
    """Give the account the platform's password, if there is one, in place of whatever it has."""
    name, password = admin.name, given.given_password(admin)
    if not password:
        return []
    given.check_password(password, name)
    if not system.live:
        system.skip("the password of %s" % name)
        return []
    if not local:
        raise ProvisioningError(
            "password of the account lies elsewhere",
            user=name,
            hint="set it where the account is, or make the VM anew with another admin user name",
        )
    before = _password_field(system, name)

    def is_set() -> bool:
        field = _password_field(system, name)
        return field != before and given.is_strong_hash(field)

    def put_hash(crypted: str) -> None:
        if texts.find_field(_text(system, PASSWD), name, 1) == "x":
            edit, path = (
                partial(texts.set_password, name=name, crypted=crypted, day=tools.today(system)),
                SHADOW,
            )
        else:
            edit, path = partial(texts.set_field, name=name, field=1, value=crypted), PASSWD
        files.edit_account_file(system, path, edit)

    tool = passwords.set_password(system, passwords.Account(name, is_set, put_hash), password)
    LOG.debug("password of %s set by %s", name, tool)
    _complete_last_change(system, name, ours=True)
    return ["the platform's password"]


def _join_groups(
    system: System, account: texts.Account, wished: Tuple[str, ...], local: bool
) -> List[str]:
    text = _text(system, GROUP)
    member_of = set(texts.list_groups(text, account.name))
    missing = [
        group
        for group in wished
        if group not in member_of and texts.find_group(text, group) not in (None, account.gid)
    ]
    # usermod knows the accounts in passwd only.
    if missing and not (local and tools.add_to_groups(system, account.name, missing)):
        with files.lock_accounts(system):
            for group in missing:
                add = partial(texts.add_member, name=group, user=account.name)
                files.edit_account_file(system, GSHADOW, add)
                files.edit_account_file(system, GROUP, add)
    return ["group " + group for group in missing]


# -- privileges
# --------------------------------------------------------------------------------------------------


def _grant(system: System, name: str, password: bool, warnings: List[str]) -> List[str]:
    """Write the rule for the program that is there; for one that is not, where its file shows that
    it was or will be.
    """
    for there in (partial(tools.has_tool, system), partial(_has_rules, system)):
        if there("sudo"):
            done, path = _grant_sudo(system, name, password, warnings), SUDOERS_FILE
        elif there("doas"):
            path = DOAS_FILE if system.is_dir(DOAS_FOLDER) else DOAS_CONF
            done = _grant_doas(system, path, name, password)
        else:
            continue
        if not tools.has_tool(system, "sudo") and not tools.has_tool(system, "doas"):
            warnings.append(
                "neither the program sudo nor doas is there: %s cannot become root before one is"
                " that reads the rule in %s" % (name, path)
            )
        return done
    warnings.append("neither sudo nor doas is there: %s cannot become root" % name)
    return []


def _has_rules(system: System, tool: str) -> bool:
    """Whether the file of sudo's or doas' rules is there, which stays when the program is
    removed.
    """
    return system.exists(SUDOERS[0] if tool == "sudo" else DOAS_CONF)


def _grant_doas(system: System, path: str, name: str, password: bool) -> List[str]:
    before = privileges.read_rules(system, path)
    after = rules.edit_doas_conf(before, name, password)
    if after == before:
        return []
    new = not system.exists(path)
    privileges.write_checked(system, path, after, 0o600, ("doas", "-C"))
    if new:
        tools.restore_labels(system, [path])
    return ["doas rule"]


def _grant_sudo(system: System, name: str, password: bool, warnings: List[str]) -> List[str]:
    done = []
    if not system.exists(SUDOERS_FOLDER):
        system.make_dir(SUDOERS_FOLDER, 0o750)
    if _put_sudo_rule(system, name, password):
        done.append("sudo rule")
    main = next((path for path in SUDOERS if system.exists(path)), None)
    if main is None:
        warnings.append(
            "sudo has no sudoers file, so its rule in %s may not be read" % SUDOERS_FILE
        )
        return done
    text = privileges.read_rules(system, main)
    if rules.includes_folder(text, SUDOERS_FOLDER):
        return done
    if main != SUDOERS[0]:
        warnings.append(
            "%s does not include %s, so the rule there is not read" % (main, SUDOERS_FOLDER)
        )
        return done
    privileges.write_checked(
        system, main, rules.add_include(text, SUDOERS_FOLDER), 0o440, ("visudo", "-cf")
    )
    warnings.append("%s did not include %s: a line that does was added" % (main, SUDOERS_FOLDER))
    return done + ["include of %s" % SUDOERS_FOLDER]


def _put_sudo_rule(system: System, name: str, password: bool) -> bool:
    """Write the admin's rule in the form that visudo takes; returns whether it was another
    before.
    """
    before = privileges.read_rules(system, SUDOERS_FILE)
    known = {line.split(":")[0] for line in _text(system, PASSWD).split("\n")}
    for own in rules.OWN_PASSWORD if password else ((),):
        after = rules.edit_sudoers_file(before, name, password, known, own)
        if after == before:
            return False
        try:
            privileges.write_checked(system, SUDOERS_FILE, after, 0o440, ("visudo", "-cf"))
            break
        except ProvisioningError as error:
            if not own:
                raise
            LOG.debug("sudo does not take the settings %s: %s", ", ".join(own), error)
    if not before:
        tools.restore_labels(system, [SUDOERS_FILE])
    return True
