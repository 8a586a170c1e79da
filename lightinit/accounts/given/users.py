"""Makes one account of a cloud-config, or gives an account that exists what may be given to it."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence

from lightinit.accounts import completion, local_files, new_users, user_passwords
from lightinit.accounts.given import groups
from lightinit.accounts.local_files import GROUP, PASSWD, text_of
from lightinit.digits import read_digits
from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import account_options, login_defs
from lightinit.formats.accounts import passwd as texts
from lightinit.formats.accounts.admin_account import why_not_allowed
from lightinit.formats.cloud_config.readers.users import GivenUser
from lightinit.host.accounts import lookup
from lightinit.host.accounts import made as made_accounts
from lightinit.host.accounts.tools import NewUser
from lightinit.host.system import System
from lightinit.login.admin import find_account

# A group of useradd's own for accounts without a group of their name (useradd -N).
COMMON_GROUP = "users"
SELINUX = "/sys/fs/selinux/enforce"


def provide(
    system: System, user: GivenUser, further: Sequence[str], warnings: List[str]
) -> List[str]:
    """Make an account, or complete it.

    Args:
        system: the machine.
        user: what is asked for.
        further: groups that it joins besides.
        warnings: gets what did not go as asked.

    Returns:
        What was done, in words.

    Raises:
        ProvisioningError: there is no such account now.
    """
    name = user.name
    why = why_not_allowed(name)
    if why:
        raise ProvisioningError("user name is not allowed", user=ascii(name[:64]), why=why)
    account = find_account(system, name)
    made = account is None
    done = []
    if account is None:
        made_accounts.record(system, name)
        account = _make(system, user, warnings)
        done.append("made user %s" % name)
    else:
        tell_differences(system, user, account, warnings)
    if account.uid != 0:
        _complete(system, user, account, made, warnings)
        if account.can_log_in:
            new_users.admit_shell(system, account, warnings)
    wished = tuple(dict.fromkeys(tuple(user.groups) + tuple(further)))
    joined = completion.join_groups(system, name, account.gid, wished, warnings)
    _set_passwords(system, user, account, warnings)
    # A run that was cut off may have made it, and no more.
    is_ours = made or name in made_accounts.list_made(system, made_accounts.INSTANCE)
    if local_files.is_local(system, name) and is_ours:
        completion.stop_ageing(system, name, True)
        set_end(system, user)
    if not made and joined:
        done.append("%s: %s" % (name, ", ".join(joined)))
    return done


def _make(system: System, user: GivenUser, warnings: List[str]) -> texts.Account:
    new = plan_user(system, user, warnings)
    if not new.shell:
        new = new._replace(shell=new_users.choose_shell(system, "", warnings))
    try:
        return new_users.make_user(system, new)
    except ProvisioningError as error:
        if not new.selinux_user:
            raise
        account = new_users.make_user(system, new._replace(selinux_user=""))
        warnings.append(
            "%s has not the SELinux user %s: %s" % (user.name, user.selinux_user, error)
        )
        return account


def plan_user(system: System, user: GivenUser, warnings: List[str]) -> NewUser:
    """The account to be made. What the host does not have is left out, with a warning. The shell
    is "" if none is asked for.
    """
    name, selinux = user.name, user.selinux_user
    if selinux and not (system.live and system.exists(SELINUX)):
        warnings.append("%s: `selinux_user` has no effect: SELinux is not on here" % name)
        selinux = ""
    if user.shell and not lookup.can_be_shell(system, user.shell):
        warnings.append(
            "shell %s of %s is not there: %s cannot log in until it is installed"
            % (user.shell, name, name)
        )
    return NewUser(
        name,
        user.shell,
        home=user.homedir or None,
        group=_find_group(system, user, warnings),
        groups=user.groups,
        comment=user.gecos,
        uid=_find_uid(system, user, warnings),
        is_system=user.system,
        has_home=not (user.no_create_home or user.system),
        has_own_group=not user.no_user_group,
        has_login_records=not user.no_log_init,
        selinux_user=selinux,
    )


def _find_uid(system: System, user: GivenUser, warnings: List[str]) -> Optional[int]:
    uid = user.uid
    if uid is None:
        return None
    if uid in texts.used_ids(text_of(system, PASSWD)) or lookup.has_user_id(system, uid):
        warnings.append(
            "the user id %d is in use, so %s gets another one; choose a free one" % (uid, user.name)
        )
        return None
    return uid


def _find_group(system: System, user: GivenUser, warnings: List[str]) -> Optional[str]:
    """The name of the primary group that is asked for; None for one of the account's own name."""
    group = user.primary_group
    if group and groups.has_group(system, group):
        number = read_digits(group)
        if number is not None:
            return (texts.list_group_names(text_of(system, GROUP), number) + [group])[0]
        return group
    if group:
        warnings.append(
            "there is no group %s, so %s has another primary group; name it in `groups`"
            % (group, user.name)
        )
    if user.no_user_group and groups.has_group(system, COMMON_GROUP):
        return COMMON_GROUP
    return None


def tell_differences(
    system: System, user: GivenUser, account: texts.Account, warnings: List[str]
) -> None:
    """Warn of what an account that exists does not get: it keeps its ids, home and shell."""
    group = texts.list_group_names(text_of(system, GROUP), account.gid)
    has: Dict[str, Sequence[object]] = {
        "uid": (None, account.uid),
        "homedir": ("", account.home),
        "shell": ("", account.shell),
        "primary_group": ("", str(account.gid), *group),
        "gecos": ("", texts.find_field(text_of(system, PASSWD), user.name, 4)),
    }
    asked = user._asdict()
    others = [key for key, values in has.items() if asked[key] not in values]
    if others:
        warnings.append(
            "%s was there already, and keeps what it has: %s; usermod can change that"
            % (user.name, ", ".join("`%s`" % key for key in others))
        )


def _complete(
    system: System, user: GivenUser, account: texts.Account, made: bool, warnings: List[str]
) -> None:
    uid_min = login_defs.read_uid_min(system.read_text("/etc/login.defs"))
    is_persons = account.uid >= uid_min and account.can_log_in
    if not (made or is_persons) or not local_files.is_local(system, user.name):
        return
    has_home = not (user.no_create_home or user.system) and (
        made or lookup.is_among_homes(local_files.useradd_defaults(system)["HOME"], account.home)
    )
    try:
        completion.complete(system, account, made, has_home)
    except ProvisioningError as error:
        warnings.append("account %s is not complete: %s" % (user.name, error))


def _set_passwords(
    system: System, user: GivenUser, account: texts.Account, warnings: List[str]
) -> None:
    name = user.name
    try:
        _set_password(system, user)
        if user.lock_passwd is False or (user.lock_passwd is None and account.uid == 0):
            return
        if user_passwords.lock(system, name) and user.lock_passwd is None and _gives_password(user):
            warnings.append(
                "the password of %s is locked, as `lock_passwd` says by default; write"
                " `lock_passwd: false` if it is to open the account" % name
            )
    except ProvisioningError as error:
        warnings.append("password of %s: %s" % (name, error))


def _set_password(system: System, user: GivenUser) -> None:
    name = user.name
    if user.plain_text_passwd:
        user_passwords.set_text(system, name, user.plain_text_passwd)
    elif user.passwd and not user_passwords.has_any(system, name):
        user_passwords.set_hash(system, name, user.passwd)
    if user.hashed_passwd:
        user_passwords.set_hash(system, name, user.hashed_passwd)


def _gives_password(user: GivenUser) -> bool:
    hashes = map(texts.is_password_hash, (user.passwd, user.hashed_passwd))
    return bool(user.plain_text_passwd) or any(hashes)


def set_end(system: System, user: GivenUser) -> None:
    """Put the day on which the account ends, and the days from its password's end, into shadow."""
    fields = {}
    day = account_options.read_day(user.expiredate)
    if day is not None:
        fields[texts.EXPIRY_DAY] = str(day)
    if user.inactive:
        fields[texts.INACTIVE_DAYS] = user.inactive.replace("-1", "")
    local_files.put_shadow_fields(system, user.name, fields)
