"""Makes the admin account that the platform names: with its password, its groups and root's rights.

An existing account stays; only missing parts are added, and the platform's password replaces the
old one. Each step first checks the current state. So after a crash the next run completes the
account.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import Dict, List, Optional, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import login_defs, new_account, sudo_listing
from lightinit.formats.accounts import passwd as texts
from lightinit.formats.accounts import passwords as given
from lightinit.formats.accounts import privileges as rules
from lightinit.formats.accounts.admin_account import check_admin_account, check_user_name
from lightinit.host.accounts import files, lookup, passwords, tools
from lightinit.host.accounts.grant import SudoRules, grant
from lightinit.host.accounts.homes import make_home
from lightinit.host.accounts.privileges import SUDOERS_FOLDER
from lightinit.host.accounts.shells import SHELLS, add_shell, list_shells
from lightinit.host.files.access import Access
from lightinit.host.files.selinux import restore_labels
from lightinit.host.ssh.servers import list_answering, list_servers
from lightinit.host.system import System
from lightinit.login import rights
from lightinit.login.admin import find_account
from lightinit.model import Instance, Outcome, User
from lightinit.settings import ModuleSettings

LOG = logging.getLogger("lightinit.users")


PASSWD, SHADOW, GROUP, GSHADOW = "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Make the instance's admin account, or complete it.

    Args:
        instance: its ``admin`` has the name, the password, and whether password login is on.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py.

    Returns:
        What was done.

    Raises:
        ProvisioningError: the name is not allowed, the account cannot be made, or its password
            cannot be set.
    """
    if instance.admin is None:
        return Outcome(
            "no admin account asked for", ("the platform names no admin user",), skipped=True
        )
    name = check_user_name(instance.admin.name)
    warnings: List[str] = []
    done: List[str] = []
    found = _find_usable(system, name)
    made = found is None
    account = found or _make(system, name, settings, warnings)
    local = texts.find_account(_text(system, PASSWD), name) is not None
    if local:
        done += _complete(system, account, made)
    else:
        done += _make_home_elsewhere(system, account)
    done += _admit_shell(system, account, warnings)
    done += _join_groups(system, account, settings["groups"], local, warnings)
    failure: Optional[ProvisioningError] = None
    try:
        done += _set_password(system, instance.admin, local)
    except ProvisioningError as error:
        # An admin with a key can still log in, and needs root's rights to fix the problem.
        failure = error
    if local:
        done += _stop_ageing(system, name, made)
    done += _grant(system, instance.admin, settings["privileges"], warnings)
    failure = failure or _find_lost_password(system, instance.admin)
    if failure is not None:
        raise failure
    LOG.debug(
        "uid %d, home %s; done: %s", account.uid, account.home, ", ".join(done) or "nothing more"
    )
    return Outcome(_say(name, made, done), tuple(warnings))


def check_settings(system: System, settings: ModuleSettings) -> List[Tuple[str, str]]:
    """Check the settings. Returns (key, text) for each mistake. Changes nothing."""
    found = []
    shell = settings["shell"]
    if shell and not lookup.can_be_shell(system, shell):
        text = "%s is not a program here; install it in the image, or name another" % ascii(shell)
        found.append(("shell", text))
    for group in settings["groups"]:
        if not re.match(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?\Z", group):
            text = "%s cannot be a group's name; write names, with blanks between" % ascii(group)
            found.append(("groups", text))
    return found


def _say(name: str, made: bool, done: List[str]) -> str:
    if made:
        return "made user %s" % name
    if done:
        return "user %s was there already; added %s" % (name, ", ".join(done))
    return "user %s was there already" % name


# -- the account
# --------------------------------------------------------------------------------------------------


def _text(system: System, path: str) -> str:
    return files.read_account_file(system, path)


def _login_defs(system: System) -> Dict[str, str]:
    return login_defs.read_login_defs(system.read_text("/etc/login.defs"))


def _useradd_defaults(system: System) -> Dict[str, str]:
    return login_defs.read_useradd_defaults(system.read_text("/etc/default/useradd"))


def _find_usable(system: System, name: str) -> Optional[texts.Account]:
    """The account ``name``, checked; None if there is none."""
    account = find_account(system, name)
    if account is None:
        return None
    return check_admin_account(
        account,
        login_defs.read_uid_min(system.read_text("/etc/login.defs")),
        partial(lookup.can_be_shell, system),
        partial(lookup.is_home_of_person, system, _useradd_defaults(system)["HOME"]),
    )


def _make(
    system: System, name: str, settings: ModuleSettings, warnings: List[str]
) -> texts.Account:
    defaults = _useradd_defaults(system)
    shell = _choose_shell(system, settings["shell"], defaults["SHELL"], warnings)
    group_text = _text(system, GROUP)
    own_group = None
    if texts.find_group(group_text, name) is not None or lookup.has_group(system, name):
        own_group = name
    groups = tuple(
        group
        for group in settings["groups"]
        if group != name and texts.find_group(group_text, group) is not None
    )
    files.check_changeable(system, (PASSWD, SHADOW, GROUP, GSHADOW))
    tool = tools.add_user(system, tools.NewUser(name, shell, group=own_group, groups=groups))
    if tool is None and find_account(system, name) is None:
        _edit_in(system, name, shell, defaults["HOME"])
    account = find_account(system, name)
    if account is None:
        raise ProvisioningError(
            "account is missing after it was made", user=name, tool=tool or "lightinit"
        )
    LOG.debug("account %s made by %s", name, tool or "editing the account files")
    return account


def _choose_shell(system: System, wished: str, of_useradd: str, warnings: List[str]) -> str:
    def refusing(shell: str) -> List[str]:
        servers = list_servers(system)
        return [each.name for each in servers if not each.accepts_shell(system, shell)]

    def is_usable(shell: str) -> bool:
        is_there = system.exists(shell) and lookup.can_be_shell(system, shell)
        return is_there and not refusing(shell)

    if wished and not system.exists(wished):
        warnings.append("shell %s in the settings does not exist; using another one" % wished)
    elif wished and not lookup.can_be_shell(system, wished):
        warnings.append("shell %s in the settings is no program; using another one" % wished)
    elif wished and refusing(wished):
        warnings.append(
            "shell %s in the settings is not in %s, so %s refuses it; using another one"
            % (wished, SHELLS, refusing(wished)[0])
        )
    return new_account.choose_shell(wished, of_useradd, is_usable, list_shells(system))


def _admit_shell(system: System, account: texts.Account, warnings: List[str]) -> List[str]:
    """Add the account's shell to /etc/shells if an SSH server that answers requires that."""
    servers = [
        each for each in list_answering(system) if not each.accepts_shell(system, account.shell)
    ]
    if not servers:
        return []
    server = servers[0]
    try:
        add_shell(system, account.shell)
    except ProvisioningError as error:
        warnings.append(
            "%s refuses %s, whose shell %s is not in %s: %s"
            % (server.name, account.name, account.shell, SHELLS, error)
        )
        return []
    warnings.append(
        "added %s, the shell of %s, to %s: %s refuses users with other shells"
        % (account.shell, account.name, SHELLS, server.name)
    )
    return ["its shell in %s" % SHELLS]


def _edit_in(system: System, name: str, shell: str, homes: str) -> None:
    """Make the account by editing the account files.

    gshadow is written before group, and passwd last, since the next run checks passwd first. So
    after a crash no account looks complete that is not.
    """
    with files.lock_accounts(system):
        new = new_account.plan_account(
            name,
            shell,
            homes,
            passwd=_text(system, PASSWD),
            group=_text(system, GROUP),
            login_defs=_login_defs(system),
            has_user=partial(lookup.has_user_id, system),
            has_group=partial(lookup.has_group_id, system),
        )
        if new.needs_group:
            _put_line(system, GSHADOW, "%s:!::" % name)
            _put_line(system, GROUP, "%s:x:%d:" % (name, new.account.gid), 0o644)
        if _has_shadow(system):
            # A line of a removed account with this name must not bring its password back.
            _put_shadow_line(system, name)
            line = texts.passwd_line(new.account)
        else:
            line = texts.passwd_line(new.account, texts.NO_PASSWORD)
        _put_line(system, PASSWD, line, 0o644)


def _has_shadow(system: System) -> bool:
    return system.exists(SHADOW) or not system.live


def _put_shadow_line(system: System, name: str) -> None:
    _put_line(system, SHADOW, texts.shadow_line(name, files.today(system)), 0o640)


def _put_line(system: System, path: str, line: str, new_mode: Optional[int] = None) -> None:
    files.edit_account_file(system, path, partial(texts.put_line, line=line), new_mode)


# -- what may be missing
# --------------------------------------------------------------------------------------------------


def _complete(system: System, account: texts.Account, made: bool) -> List[str]:
    done = []
    name = account.name
    groups = _text(system, GROUP)
    if account.gid not in texts.used_ids(groups):
        group = name
        if texts.find_group(groups, name) is not None:
            group = "%s-%d" % (name, account.gid)
        with files.lock_accounts(system):
            _put_line(system, GROUP, "%s:x:%d:" % (group, account.gid), 0o644)
        done.append("its primary group")
    done += _complete_password(system, name)
    done += _complete_last_change(system, name)
    defaults = _useradd_defaults(system)
    usual = "%s/%s" % (defaults["HOME"].rstrip("/"), name)
    access = Access(login_defs.home_mode(_login_defs(system)), account.uid, account.gid)
    adopt = made or account.home == usual
    if make_home(system, account.home, access, defaults["SKEL"], adopt):
        done.append("its home")
    if made or done:
        restore_labels(system, [account.home])
    return done


def _make_home_elsewhere(system: System, account: texts.Account) -> List[str]:
    """Make the home of an account that only NSS knows, such as one of userdb, unless it is there,
    or is in a folder that no homes of people are in.
    """
    homes = _useradd_defaults(system)["HOME"]
    access = Access(login_defs.home_mode(_login_defs(system)), account.uid, account.gid)
    if system.exists(account.home) or not lookup.is_among_homes(homes, account.home):
        return []
    make_home(system, account.home, access, _useradd_defaults(system)["SKEL"], adopt=False)
    restore_labels(system, [account.home])
    return ["its home"]


def _complete_password(system: System, name: str) -> List[str]:
    """If the account never had a password, mark it so that sshd does not treat it as locked."""
    in_passwd = texts.find_field(_text(system, PASSWD), name, 1)
    if not _has_shadow(system):
        return _mark_password(system, name, PASSWD, in_passwd)
    in_shadow = texts.find_field(_text(system, SHADOW), name, 1)
    if in_shadow is not None:
        return _mark_password(system, name, SHADOW, in_shadow)
    if in_passwd not in (texts.IN_SHADOW,) + texts.NEVER_SET:
        return []  # the password is in passwd itself
    with files.lock_accounts(system):
        _put_shadow_line(system, name)
    return ["its line in shadow"]


def _mark_password(system: System, name: str, path: str, field: Optional[str]) -> List[str]:
    if field not in texts.NEVER_SET:
        return []
    if not tools.set_password_mark(system, name, texts.NO_PASSWORD):
        edit = partial(texts.set_field, name=name, field=1, value=texts.NO_PASSWORD)
        with files.lock_accounts(system):
            files.edit_account_file(system, path, edit)
    return ["login without a password"]


def _complete_last_change(system: System, name: str, is_ours: bool = False) -> List[str]:
    """Set the day of the last change to today, if shadow demands a new password although there is
    no password or lightinit has just set it.

    While the clock is in 1970, busybox's adduser and chpasswd write 0 as the day of the last
    change. Then every login ends with a request for a new password.
    """
    text = _text(system, SHADOW)
    if not texts.must_change_password(text, name):
        return []
    if texts.is_password_hash(texts.find_field(text, name, 1)) and not is_ours:
        return []
    value = texts.last_change(files.today(system))
    with files.lock_accounts(system):
        files.edit_account_file(
            system, SHADOW, partial(texts.set_field, name=name, field=2, value=value)
        )
    return ["the day of its last change in shadow"]


def _stop_ageing(system: System, name: str, made: bool) -> List[str]:
    """Switch ageing off if there is no password: nobody could set a new one at a login.

    login.defs and default/useradd may switch ageing on for new accounts.
    """
    if _has_password(system, name):
        return []
    edit = partial(texts.stop_ageing, name=name, is_new=made)
    text = _text(system, SHADOW)
    if edit(text) == text:
        return []
    with files.lock_accounts(system):
        files.edit_account_file(system, SHADOW, edit)
    return ["no ageing of its password"]


def _join_groups(
    system: System,
    account: texts.Account,
    wished: Tuple[str, ...],
    local: bool,
    warnings: List[str],
) -> List[str]:
    text = _text(system, GROUP)
    member_of = set(texts.list_groups(text, account.name))
    missing = [
        group
        for group in wished
        if group not in member_of and texts.find_group(text, group) not in (None, account.gid)
    ]
    try:
        # usermod knows only the accounts in passwd.
        if missing and not (local and tools.add_to_groups(system, account.name, missing)):
            _edit_groups(system, account.name, missing)
    except ProvisioningError as error:
        # If a login depends on a group, the login check says so.
        warnings.append("%s has not joined %s: %s" % (account.name, ", ".join(missing), error))
        return []
    return ["group " + group for group in missing]


def _edit_groups(system: System, name: str, groups: List[str]) -> None:
    with files.lock_accounts(system):
        for group in groups:
            add = partial(texts.add_member, name=group, user=name)
            files.edit_account_file(system, GSHADOW, add)
            files.edit_account_file(system, GROUP, add)


# -- the password
# --------------------------------------------------------------------------------------------------


def _password_field(system: System, name: str) -> Optional[str]:
    return texts.find_password(_text(system, PASSWD), _text(system, SHADOW), name)


def _has_password(system: System, name: str) -> bool:
    return texts.is_password_hash(_password_field(system, name))


def _set_password(system: System, admin: User, local: bool) -> List[str]:
    """Set the platform's password, if there is one. It replaces any other."""
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
            hint=(
                "set it where the account is, or create the VM again with another admin user name"
            ),
        )
    before = _password_field(system, name)

    def is_set() -> bool:
        field = _password_field(system, name)
        return field != before and given.is_strong_hash(field)

    target = passwords.PasswordTarget(name, is_set, partial(_put_hash, system, name))
    tool = passwords.set_password(system, target, password)
    LOG.debug("password of %s set by %s", name, tool)
    _complete_last_change(system, name, is_ours=True)
    return ["the platform's password"]


def _put_hash(system: System, name: str, crypted: str) -> None:
    if texts.find_field(_text(system, PASSWD), name, 1) == texts.IN_SHADOW:
        day = files.today(system)
        files.edit_account_file(
            system, SHADOW, partial(texts.set_password, name=name, crypted=crypted, day=day)
        )
    else:
        files.edit_account_file(
            system, PASSWD, partial(texts.set_field, name=name, field=1, value=crypted)
        )


def _find_lost_password(system: System, admin: User) -> Optional[ProvisioningError]:
    """An error if lightinit removed the platform's password before it was set."""
    if not admin.had_password or _has_password(system, admin.name):
        return None
    return ProvisioningError(
        "password is no longer at hand",
        user=admin.name,
        hint="lightinit forgets it once the VM is ready; set one with passwd",
    )


# -- root's rights
# --------------------------------------------------------------------------------------------------


def _grant(system: System, admin: User, privileges: str, warnings: List[str]) -> List[str]:
    if privileges == "none":
        return []
    name = admin.name
    has_password = _has_password(system, name)
    asks = privileges == "password" or (
        privileges == "auto" and given.login_wished(admin) is True and has_password
    )
    doas = partial(rules.edit_doas_conf, user=name, password=asks)
    granted = grant(system, name, _sudo_rules(system, name, asks), doas)
    warnings += granted.warnings
    return granted.done


def _sudo_rules(system: System, name: str, asks: bool) -> SudoRules:
    """The rules of the admin ``name``.

    Args:
        system: the machine.
        name: the account.
        asks: whether sudo asks for a password.
    """
    known = {line.split(":")[0] for line in _text(system, PASSWD).split("\n")}
    settings: Tuple[Tuple[str, ...], ...] = ((),)
    if asks:
        settings = rules.OWN_PASSWORD
    own_file = partial(rules.edit_sudoers_file, user=name, password=asks, known_users=known)
    at_end = partial(rules.edit_sudoers_end, user=name, password=asks)
    return SudoRules(
        [partial(own_file, own=own) for own in settings],
        [partial(at_end, own=own) for own in settings],
        partial(rules.has_rule, user=name),
        partial(rules.includes_folder, folder=SUDOERS_FOLDER),
        partial(rules.add_include, folder=SUDOERS_FOLDER),
        partial(rights.ask_sudo, system, name),
        sudo_listing.judge,
        asks,
    )
