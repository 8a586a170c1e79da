"""The end of a boot: ``power_state``, ``final_message``, ``phone_home``, ``output``."""

from __future__ import annotations

import re
import shlex
from typing import Any, List, Mapping, Optional, Sequence, Tuple, Union

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.places import is_closed
from lightinit.formats.cloud_config.readers.section import Section, written
from lightinit.model import NamedTuple, repr_without

KEYS = ("power_state", "final_message", "phone_home", "output")
MODES = ("poweroff", "reboot", "halt")
POSTED: Tuple[str, ...] = (
    "pub_key_dsa",
    "pub_key_rsa",
    "pub_key_ecdsa",
    "pub_key_ed25519",
    "instance_id",
    "hostname",
    "fqdn",
)
STAGES = ("init", "config", "final", "all")
TEE_APPENDS = {"-a", "--append", "-ai", "-ia"}
TEE_OPTIONS = TEE_APPENDS | {"-i", "--ignore-interrupts"}
DEVICES = "/dev/"  # such as the console, which many documents name beside a file
TARGETS = "such as '>> /var/log/x', '> /var/log/x' or '| tee -a /var/log/x'"


class GivenPowerState(NamedTuple):
    """What happens to the machine after all is done.

    Attributes:
        mode: poweroff, reboot or halt.
        delay_minutes: how long shutdown waits.
        message: for those who are logged in, or "".
        timeout_s: how long the end of the boot is waited for.
        condition: True; or a command, whose exit status 0 means yes: a text for the shell, or
            words. Without one that is False, the key has no effect.
    """

    mode: str
    delay_minutes: int = 0
    message: str = ""
    timeout_s: float = 30.0
    condition: Union[bool, str, Tuple[str, ...]] = True


class GivenCall(NamedTuple):
    """Who is told that the boot has ended.

    Attributes:
        url: http or https. It may have a secret.
        post: the names of the facts that are sent.
        tries: how often it is tried.
    """

    url: str
    post: Tuple[str, ...] = POSTED
    tries: int = 10

    def __repr__(self) -> str:
        return repr_without(self, "url")


class GivenOutput(NamedTuple):
    """Where the output of the scripts goes, besides the log.

    Attributes:
        stage: init, config or final; or ``all``, where nothing else is said.
        paths: the files.
        append: whether it is added to them.
    """

    stage: str
    paths: Tuple[str, ...]
    append: bool = True


class GivenEnding(NamedTuple):
    """What a cloud-config says of the end.

    Attributes:
        power_state: or None.
        final_message: a text with ``$UPTIME``, ``$TIMESTAMP``, ``$VERSION``, ``$DATASOURCE``; or
            "".
        phone_home: or None.
        outputs: where output goes, each stage once.
    """

    power_state: Optional[GivenPowerState] = None
    final_message: str = ""
    phone_home: Optional[GivenCall] = None
    outputs: Tuple[GivenOutput, ...] = ()


def read_ending(values: Mapping[str, Any]) -> Tuple[GivenEnding, List[Mistake]]:
    """Read what comes at the end. What is wrong is left out.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    ending = GivenEnding(
        _power_state(given), given.text("final_message"), _call(given), _outputs(given)
    )
    return ending, given.mistakes


def find_output(outputs: Sequence[GivenOutput], stage: str) -> GivenOutput:
    """Where the output of a stage goes; without files if that is not said.

    Args:
        outputs: as in :class:`GivenEnding`.
        stage: init, config or final.
    """
    found = {each.stage: each for each in outputs}
    return found.get(stage) or found.get("all") or GivenOutput(stage, ())


def _power_state(given: Section) -> Optional[GivenPowerState]:
    section = given.section("power_state")
    if section is None:
        return None
    section.know(("delay", "mode", "message", "timeout", "condition"))
    mode = section.line("mode").strip()
    if mode not in MODES:
        section.wrong("mode", "it is none, so nothing happens", "one of " + ", ".join(MODES))
        return None
    delay = section.line("delay", "now").strip().lstrip("+")
    if delay != "now" and not re.match(r"[0-9]{1,6}\Z", delay):
        section.wrong(
            "delay", "it is no number of minutes, so nothing happens", "now, or such as 5"
        )
        return None
    timeout = section.line("timeout", "30").strip()
    if not re.match(r"[0-9]{1,6}(\.[0-9]{1,6})?\Z", timeout):
        section.wrong("timeout", "it is no number of seconds; 30 is taken", "write a number")
        timeout = "30"
    condition = section.values.get("condition", True)
    if isinstance(condition, list) and condition and all(map(_is_word, condition)):
        condition = tuple(written(each) for each in condition)
    if not isinstance(condition, (str, bool, tuple)):
        section.expected("condition", "a command, true or false", condition)
        return None
    minutes = 0 if delay == "now" else int(delay)
    message = section.text("message")
    return GivenPowerState(mode, minutes, message, float(timeout), condition)


def _is_word(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _call(given: Section) -> Optional[GivenCall]:
    section = given.section("phone_home")
    if section is None:
        return None
    section.know(("url", "post", "tries"))
    url = section.line("url").strip()
    if not re.match(r"https?://[^\s/]+", url):
        section.wrong("url", "it is not an http or https URL", "such as https://example.org/up")
        return None
    post = POSTED
    if section.values.get("post", "all") != "all":
        post = tuple(each for each in section.texts("post") if each in POSTED)
        if len(post) < len(section.texts("post")):
            section.wrong("post", "a name is unknown", "all, or some of " + ", ".join(POSTED))
    tries = section.number("tries")
    if tries is not None and not 1 <= tries <= 100:
        section.wrong("tries", "it is not from 1 to 100; 10 is taken", "write such a number")
        tries = None
    return GivenCall(url, post, tries or 10)


def _outputs(given: Section) -> Tuple[GivenOutput, ...]:
    section = given.section("output")
    if section is None:
        return ()
    section.know(STAGES)
    found = []
    for stage in STAGES:
        value = section.values.get(stage)
        if value is None:
            continue
        if isinstance(value, dict):
            inner = Section(value, (*section.path, stage), section.mistakes)
            inner.know(("output", "error"))
            out, errors = inner.line("output"), inner.line("error")
        else:
            out, errors = [*section.texts(stage), "", ""][:2]
        target = _target(out)
        if target is None:
            section.wrong(stage, "output cannot go there; it is in the log only", TARGETS)
            continue
        if stage == "config":
            section.wrong(stage, "nothing is printed there", "write `all`, `init` or `final`")
        if errors.strip() not in ("", "&1") and _target(errors) != target:
            section.wrong(stage, "errors go where the output goes", "leave them out", True)
        paths = tuple(path for path in target[0] if not path.startswith(DEVICES))
        if len(paths) < len(target[0]):
            what = "output goes to no device; the files beside it get it"
            section.wrong(stage, what, "leave it out: `lightinit status` tells how far it is")
        found.append(GivenOutput(stage, paths, target[1]))
    return tuple(found)


def _target(text: str) -> Optional[Tuple[Tuple[str, ...], bool]]:
    """The paths, and whether they are appended to; None if it is something else. A path alone is
    appended to. Of several, some may be devices.
    """
    text = text.strip()
    sign = next((each for each in (">>", ">", "|") if text.startswith(each)), "")
    rest = text[len(sign) :].strip()
    paths, append = [rest], sign != ">"
    if sign == "|":
        try:
            command, *words = shlex.split(rest) or [""]
        except ValueError:
            return None
        options = [word for word in words if word.startswith("-")]
        if command.rpartition("/")[2] != "tee" or not set(options) <= TEE_OPTIONS:
            return None
        append = bool(set(options) & TEE_APPENDS)
        paths = [word for word in words if word not in options]
    usable = [path for path in paths if path.startswith("/") and not is_closed(path)]
    devices = [path for path in paths if path.startswith(DEVICES)]
    if not usable or len(usable) + len(devices) < len(paths):
        return None
    return tuple(paths), append
