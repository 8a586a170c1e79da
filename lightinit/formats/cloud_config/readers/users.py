"""Accounts: ``users``, ``user``, ``groups``, and the keys of the default user and root."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from lightinit.digits import ID_MOST
from lightinit.formats.accounts import account_options as options
from lightinit.formats.accounts.account_options import is_group_name
from lightinit.formats.accounts.admin_account import why_not_allowed
from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.public_keys import read_keys
from lightinit.formats.cloud_config.readers.passwords import HASH_REMEDY, is_hash
from lightinit.formats.cloud_config.readers.section import Section, kind_of
from lightinit.model import NamedTuple, repr_without

KEYS = (
    "users",
    "user",
    "groups",
    "ssh_authorized_keys",
    "ssh_import_id",
    "disable_root",
    "disable_root_opts",
    "allow_public_ssh_keys",
    "system_info",
)
DEFAULT = "default"
GROUP_REMEDY = "write letters, digits, - and _, at most 32"
OF_A_USER = (
    "name",
    "gecos",
    "homedir",
    "primary_group",
    "groups",
    "shell",
    "uid",
    "system",
    "no_create_home",
    "no_user_group",
    "no_log_init",
    "create_groups",
    "inactive",
    "expiredate",
    "selinux_user",
    "lock_passwd",
    "passwd",
    "hashed_passwd",
    "plain_text_passwd",
    "sudo",
    "doas",
    "ssh_authorized_keys",
    "ssh_import_id",
    "ssh_redirect_user",
    "snapuser",
)
# cloud-init takes any key with - as the one with _.
OLD_KEYS = {key.replace("_", "-"): key for key in OF_A_USER if "_" in key}
# Keys of the document that many write below an account.
NOT_OF_A_USER = ("ssh_pwauth", "chpasswd", "password", "disable_root")
UNSUPPORTED = {
    "ssh_import_id": "write the keys into `ssh_authorized_keys`",
    "snapuser": "make an account with `name`",
}


class GivenUser(NamedTuple):
    """One account of ``users``. A text that is empty was not given.

    Attributes:
        name: its name; ``default`` stands for the platform's admin.
        gecos: the comment, such as the full name.
        homedir: absolute path.
        primary_group: name or number.
        groups: further groups.
        shell: absolute path.
        uid: number, or None.
        system: whether it is a system account.
        no_create_home: whether it gets no home directory.
        no_user_group: whether it gets no group of its own name.
        no_log_init: whether lastlog and faillog leave it out.
        create_groups: whether groups that are missing are made.
        inactive: days after a password's end until the account is closed, as text.
        expiredate: YYYY-MM-DD.
        selinux_user: the account's name for SELinux.
        lock_passwd: whether a login by password is closed; None counts as True, but nobody said it.
        passwd: hash for an account that has no password.
        hashed_passwd: hash, also for an existing account.
        plain_text_passwd: password, also for an existing account.
        sudo: rules, without the account's name; empty: none are wanted. None: nothing is said.
        doas: rules, whole.
        ssh_authorized_keys: public keys, each one line.
        ssh_redirect_user: whether the platform's keys only tell to use another name.
    """

    name: str
    gecos: str = ""
    homedir: str = ""
    primary_group: str = ""
    groups: Tuple[str, ...] = ()
    shell: str = ""
    uid: Optional[int] = None
    system: bool = False
    no_create_home: bool = False
    no_user_group: bool = False
    no_log_init: bool = False
    create_groups: bool = True
    inactive: str = ""
    expiredate: str = ""
    selinux_user: str = ""
    lock_passwd: Optional[bool] = None
    passwd: str = ""
    hashed_passwd: str = ""
    plain_text_passwd: str = ""
    sudo: Optional[Tuple[str, ...]] = None
    doas: Tuple[str, ...] = ()
    ssh_authorized_keys: Tuple[str, ...] = ()
    ssh_redirect_user: bool = False

    def __repr__(self) -> str:
        return repr_without(self, "passwd", "hashed_passwd", "plain_text_passwd")


class GivenGroup(NamedTuple):
    """One group of ``groups``, with the accounts that become members."""

    name: str
    members: Tuple[str, ...] = ()


class GivenAccounts(NamedTuple):
    """What a cloud-config says of accounts.

    Attributes:
        users: the accounts; None if nothing names one: then the admin alone is made. A list without
            ``default`` leaves out what the default user gets, and not the admin.
        groups: the groups.
        default_name: the name that ``user``, or else ``system_info``, gives to the default user, or
            "".
        ssh_authorized_keys: keys for the default user and, unless ``disable_root``, for root.
        disable_root: whether root's keys only tell to use another name; None if nothing is said.
        disable_root_opts: the options before root's keys, or "".
        allow_public_ssh_keys: whether the platform's keys are used.
    """

    users: Optional[Tuple[GivenUser, ...]] = None
    groups: Tuple[GivenGroup, ...] = ()
    default_name: str = ""
    ssh_authorized_keys: Tuple[str, ...] = ()
    disable_root: Optional[bool] = None
    disable_root_opts: str = ""
    allow_public_ssh_keys: bool = True


def read_accounts(values: Mapping[str, Any]) -> Tuple[GivenAccounts, List[Mistake]]:
    """Read accounts and groups. One without a usable name is left out.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    users = _users(given)
    default_name = ""
    user = values.get("user")
    if isinstance(user, dict):
        made = _user(Section(user, ("user",), given.mistakes), DEFAULT)
        default_name = made.name if made.name != DEFAULT else ""
        users = [*(users or []), made._replace(name=DEFAULT)]
    elif user is not None:
        default_name = _name(given, "user")
        users = [*(users or []), GivenUser(DEFAULT)]
    info = _default_user(given)
    if info is not None:
        made = _user(info, DEFAULT)
        default_name = default_name or (made.name if made.name != DEFAULT else "")
        if users is None or any(each.name == DEFAULT for each in users):
            users = [*(users or []), made._replace(name=DEFAULT)]
    accounts = GivenAccounts(
        None if users is None else _merged(users),
        _groups(given),
        default_name,
        read_keys(given),
        given.flag("disable_root"),
        given.line("disable_root_opts"),
        given.yes("allow_public_ssh_keys", True),
    )
    return accounts, given.mistakes


def _default_user(given: Section) -> Optional[Section]:
    """What ``system_info`` says of the default user. The rest of the key is cloud-init's own."""
    info = given.section("system_info")
    if info is None:
        return None
    for key in info.values:
        if key != "default_user":
            info.wrong(key, "it is not supported", "write `users`, `apt` and what it stands for")
    return info.section("default_user")


def _users(given: Section) -> Optional[List[GivenUser]]:
    value = given.values.get("users")
    inner = Section({}, ("users",), given.mistakes)
    if value is None:
        return None
    if isinstance(value, str):
        given.wrong("users", "it is text; taken as names with commas", "write a list", True)
        names = given.texts("users", comma=True)
        return [GivenUser(name) for name in names if _is_name(given, "users", name)]
    if isinstance(value, dict):
        given.wrong("users", "it is a mapping; taken as a list", "write `- name: NAME`", True)
        named = [(name, _with_name(name, each)) for name, each in value.items()]
    elif isinstance(value, list):
        named = list(enumerate(value))
    else:
        given.expected("users", "a list", value, "write `- name: NAME`")
        return None
    found: List[GivenUser] = []
    for at, each in named:
        if isinstance(each, (str, list)):
            names = Section({at: each}, ("users",), given.mistakes).texts(at, comma=True)
            found += [GivenUser(name) for name in names if _is_name(inner, at, name)]
        elif isinstance(each, dict):
            made = _user(Section(each, ("users", at), given.mistakes), DEFAULT)
            found += [made] if made.name else []
        elif each is not None:
            inner.expected(at, "an account", each, "write `- name: NAME` or `- default`")
    return found


def _with_name(name: str, value: Any) -> Any:
    """An item of the list that a mapping of accounts stands for; None: no account."""
    if isinstance(value, dict):
        return dict(value, name=name)
    if value is True or str(value).lower() in ("true", "yes", "on", "1"):
        return name
    return None


def _user(given: Section, default: str) -> GivenUser:
    for key in NOT_OF_A_USER:
        if key in given:
            given.wrong(key, "it is no option of an account", "write it at the left edge")
    given.know(OF_A_USER + NOT_OF_A_USER, OLD_KEYS)
    values = {OLD_KEYS.get(key, key): value for key, value in given.values.items()}
    given = Section(values, given.path, given.mistakes)
    for key, remedy in UNSUPPORTED.items():
        if values.get(key):
            given.wrong(key, "it is not supported", remedy)
    texts: Dict[str, Any] = {key: given.line(key) for key in TEXTS}
    flags: Dict[str, Any] = {key: given.yes(key) for key in FLAGS}
    for key in ("passwd", "hashed_passwd"):
        if texts[key] and not is_hash(texts[key]) and texts[key].strip("!*"):
            given.wrong(key, "it is no hash; nobody could log in with it", HASH_REMEDY)
            texts[key] = ""
    for key, (can_be, what, remedy) in CHECKS.items():
        if texts[key] and not can_be(texts[key]):
            given.wrong(key, what, remedy)
            texts[key] = ""
    if flags["ssh_redirect_user"] and (values.get("ssh_authorized_keys") or flags["system"]):
        given.wrong("ssh_redirect_user", "keys or `system` are beside it", "take one of them out")
        flags["ssh_redirect_user"] = False
    uid = given.number("uid")
    if uid is not None and not 0 <= uid <= ID_MOST:
        given.wrong("uid", "no account can have this id", "write a number from 1000 to 60000")
        uid = None
    return GivenUser(
        name=_name(given, "name") if "name" in given else default,
        groups=_group_names(given),
        uid=uid,
        create_groups=given.yes("create_groups", True),
        lock_passwd=given.flag("lock_passwd"),
        sudo=_rules(given, "sudo"),
        doas=_rules(given, "doas") or (),
        ssh_authorized_keys=read_keys(given),
        **texts,
        **flags,
    )


CHECKS: Dict[str, Tuple[Callable[[str], bool], str, str]] = {
    "gecos": (options.is_comment, "a colon or a control character is in it", "take it out"),
    "homedir": (options.is_path, "it is no absolute path of a folder", "such as /home/ada"),
    "shell": (options.is_path, "it is no absolute path", "such as /bin/bash"),
    "expiredate": (options.is_date, "it is no date", "write YYYY-MM-DD"),
    "inactive": (options.is_days, "it is no number of days", "write a number"),
    "selinux_user": (options.is_selinux_user, "SELinux has no such user", "such as staff_u"),
    "primary_group": (is_group_name, "no group can have this name", GROUP_REMEDY),
}
TEXTS = (
    "gecos",
    "homedir",
    "primary_group",
    "shell",
    "inactive",
    "expiredate",
    "selinux_user",
    "passwd",
    "hashed_passwd",
    "plain_text_passwd",
)
FLAGS = ("system", "no_create_home", "no_user_group", "no_log_init", "ssh_redirect_user")


def _name(given: Section, key: str) -> str:
    """The name of an account; "" with a mistake if no account can have it."""
    name = given.line(key).strip()
    return name if _is_name(given, key, name) else ""


def _is_name(given: Section, key: Any, name: str) -> bool:
    """Whether an account can have a name. If not, that is a mistake."""
    why = why_not_allowed(name)
    if why:
        what = "no account can have this name: %s" % why
        given.wrong(key, what, "write letters, digits, - and _")
    return not why


def _is_member(given: Section, key: Any, name: str) -> bool:
    """Whether an account of this host may have a name. If not, that is a mistake."""
    is_word = name.isprintable() and not any(each in name for each in ":/, #")
    if not name or name.startswith("-") or not is_word:
        given.wrong(key, "no account can have this name", "write letters, digits, - and _")
        return False
    return True


def _group_names(given: Section) -> Tuple[str, ...]:
    value = given.values.get("groups")
    if isinstance(value, dict):
        given.wrong("groups", "a mapping is deprecated", "write a list of names", True)
        names = tuple(value)
    else:
        names = given.texts("groups", comma=True)
    # A text of the list may have commas of its own.
    names = tuple(name.strip() for each in names for name in each.split(",") if name.strip())
    if not all(map(is_group_name, names)):
        given.wrong("groups", "no group can have one of these names", GROUP_REMEDY)
    return tuple(name for name in names if is_group_name(name))


def _rules(given: Section, key: str) -> Optional[Tuple[str, ...]]:
    """The rules, each one line; None if nothing is said."""
    if key not in given:
        return None
    value = given.values[key]
    if isinstance(value, bool):
        if value:
            given.wrong(key, "true is no rule", "write `ALL=(ALL) NOPASSWD:ALL` in quotes")
            return None
        return ()
    lines = [line.strip() for text in given.texts(key) for line in text.split("\n")]
    return tuple(line for line in lines if line and not line.startswith("#"))


def _groups(given: Section) -> Tuple[GivenGroup, ...]:
    value = given.values.get("groups")
    found: Dict[str, List[str]] = {}
    inner = Section({}, ("groups",), given.mistakes)
    if isinstance(value, str):
        items: List[Any] = [name.strip() for name in value.split(",")]
    elif isinstance(value, dict):
        items = [value]
    else:
        items = [each for _, each in given.items("groups")]
    for at, each in enumerate(items):
        if isinstance(each, dict):
            members = Section(each, ("groups",), given.mistakes)
            for name in each:
                names = [each.strip() for each in members.texts(name, comma=True)]
                found.setdefault(name, []).extend(
                    each for each in names if _is_member(members, name, each)
                )
        elif isinstance(each, str) and each.strip():
            found.setdefault(each.strip(), [])
        elif each is not None:
            inner.wrong(
                at, "it is %s, and must be a group's name" % kind_of(each), "such as `- adm`"
            )
    if not all(map(is_group_name, found)):
        given.wrong("groups", "no group can have one of these names", GROUP_REMEDY)
    return tuple(
        GivenGroup(name, tuple(dict.fromkeys(members)))
        for name, members in found.items()
        if is_group_name(name)
    )


def _merged(users: List[GivenUser]) -> Tuple[GivenUser, ...]:
    """The accounts without repetition: what an earlier entry of a name says goes before."""
    found: Dict[str, GivenUser] = {}
    for user in users:
        earlier = found.get(user.name)
        if earlier is not None:
            told = {
                key: value
                for key, value in earlier._asdict().items()
                if value != GivenUser._field_defaults.get(key)
            }
            user = user._replace(**told)
        found[user.name] = user
    return tuple(found.values())
