"""The command line of the emulator: ``lightinit-emulator``. Knows no protocol."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from typing import Any, Callable, Dict, List, NoReturn, Optional, Tuple

from lightinit.emulator.errors import EmulatorError, ScenarioError
from lightinit.emulator.host_side.guest_side import add_commands, print_pool, write_media
from lightinit.emulator.platform import SETTLE_S, Platform
from lightinit.emulator.scenario import list_names, load_scenario, make_scenario, read_json

_ABOUT = """Plays the Azure platform (WireServer and IMDS) for an agent that provisions Linux VMs.

It is as strict as the platform: it refuses a wrong request and says why.
A scenario adds faults."""
_RUN = """Listen until SIGTERM or SIGINT.
The first line on standard output is a JSON object with the addresses.

To use the platform's real addresses, add them to an interface first (as root, in a network
namespace or on a machine that is not on Azure):
  ip addr add 168.63.129.16/32 dev lo; ip addr add 169.254.169.254/32 dev lo"""


class _Interrupted(Exception):
    """A signal told the emulator to stop."""


def _address(text: str) -> Tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError("%r is not HOST:PORT, such as 127.0.0.1:0" % text)
    return host, int(port)


def _milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 60000:
        raise argparse.ArgumentTypeError(
            "%r is not a number of milliseconds from 0 to 60000" % text
        )
    return value


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="lightinit-emulator", description=_ABOUT, formatter_class=raw
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    run = commands.add_parser(
        "run", help="play the platform", description=_RUN, formatter_class=raw
    )
    run.add_argument(
        "--wireserver",
        type=_address,
        default=("127.0.0.1", 0),
        metavar="HOST:PORT",
        help="where the WireServer listens (127.0.0.1:0; port 0 means any free port)",
    )
    run.add_argument(
        "--imds",
        type=_address,
        default=("127.0.0.1", 0),
        metavar="HOST:PORT",
        help="where IMDS listens (127.0.0.1:0)",
    )
    run.add_argument(
        "--host-plugin",
        type=_address,
        metavar="HOST:PORT",
        help="where the HostGAPlugin, which guest agents use, listens (default: none)",
    )
    run.add_argument(
        "--scenario",
        default="good",
        metavar="NAME|FILE",
        help="the name of a shipped scenario, or a file's path, with a slash or .json in it (good)",
    )
    run.add_argument(
        "--instance", metavar="FILE", help="a JSON object that is merged into the IMDS document"
    )
    run.add_argument("--log", metavar="FILE", help="append each request as a JSON line")
    run.add_argument(
        "--latency-ms",
        type=_milliseconds,
        default=0.0,
        metavar="N",
        help="wait N ms before reading from a new connection, and N ms before each answer: "
        "the first request of a connection takes 2 N, each later one N (0)",
    )
    run.add_argument(
        "--ready-file",
        metavar="FILE",
        help="write the first line's JSON to FILE after listening starts",
    )
    run.add_argument(
        "--once",
        action="store_true",
        help="exit with 0 after a Ready report was accepted "
        "(for a preprovisioned VM: the one with an owner)",
    )
    run.add_argument(
        "--certificates",
        metavar="FILE|DIR|auto",
        help="the VM's certificates and keys: PEM files, or auto to make some (none)",
    )
    run.add_argument(
        "--on-pool-ready",
        metavar="COMMAND",
        help="a shell command that runs once, when a preprovisioned VM waits for its owner",
    )
    listing = commands.add_parser(
        "scenarios",
        help="list the shipped scenarios",
        description="List the shipped scenarios: name and description.",
    )
    listing.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="json adds what each scenario expects and needs",
    )
    check = commands.add_parser(
        "check",
        help="check a scenario file",
        description="Check a scenario file; print each mistake, its place, and what to do.",
    )
    check.add_argument("file", metavar="FILE")
    add_commands(commands)
    return parser


def _write_atomically(path: str, text: str) -> None:
    """Write a file in one step: a reader sees all of it or nothing."""
    temporary = "%s.%d.tmp" % (path, os.getpid())
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        raise EmulatorError(
            "cannot write the ready file %s: %s" % (path, error.strerror)
        ) from error


def _read_instance(path: Optional[str]) -> Dict[str, Any]:
    if path is None:
        return {}
    data = read_json(path)
    if not isinstance(data, dict):
        raise ScenarioError(
            path,
            [
                "must be a JSON object with parts of the IMDS document, such as "
                '{"compute": {"name": "vm1"}}'
            ],
        )
    return data


def _make_hook(command: Optional[str]) -> Optional[Callable[[], None]]:
    """Return a function that runs the command of --on-pool-ready, or None without a command.

    The command's output goes to standard error: the first line on standard output is the JSON.
    """
    if command is None:
        return None
    words = ["sh", "-c", command]

    def run() -> None:
        status = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
        ).returncode
        if status:
            raise EmulatorError("the command of --on-pool-ready failed with status %d" % status)

    return run


def _stop(number: int, frame: object) -> NoReturn:
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)
    raise _Interrupted


def _run(options: argparse.Namespace) -> int:
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, _stop)
    platform: Optional[Platform] = None
    try:
        platform = Platform(
            options.scenario,
            _read_instance(options.instance),
            options.latency_ms / 1000,
            options.wireserver,
            options.imds,
            options.log,
            options.certificates,
            _make_hook(options.on_pool_ready),
            options.host_plugin,
        )
        platform.start()
        shown: Dict[str, Any] = {"wireserver": platform.wireserver, "imds": platform.imds}
        if platform.host_plugin:
            shown["host_plugin"] = platform.host_plugin
        line = (
            json.dumps(
                dict(
                    shown,
                    scenario=platform.scenario.name,
                    pid=os.getpid(),
                    thumbprints=platform.thumbprints,
                )
            )
            + "\n"
        )
        if options.ready_file:
            _write_atomically(options.ready_file, line)
        sys.stdout.write(line)
        sys.stdout.flush()
        platform.wait_for(lambda it: options.once and it.is_provisioned, None)
        platform.wait_for(
            lambda it: it.in_flight == 0, SETTLE_S
        )  # so that the agent gets its answer
    except _Interrupted:
        pass
    finally:
        if platform is not None:
            platform.close()
    return 0


def _list_scenarios(form: str) -> int:
    scenarios = [load_scenario(name) for name in list_names()]
    if form == "json":
        shown = [
            {"name": it.name, "description": it.description, "expect": it.expect, "needs": it.needs}
            for it in scenarios
        ]
        print(json.dumps(shown, indent=2))
        return 0
    for it in scenarios:
        print("%s\n    %s" % (it.name, it.description))
    return 0


def _check(path: str) -> int:
    scenario = make_scenario(read_json(path), path)
    print("%s: scenario %r is valid" % (path, scenario.name))
    return 0


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name; None means those of this process.

    Returns:
        the exit code: 0 success, 1 error (the message is on standard error), 2 wrong usage.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        if options.command == "run":
            return _run(options)
        if options.command == "scenarios":
            return _list_scenarios(options.format)
        if options.command == "check":
            return _check(options.file)
        if options.command == "media":
            return write_media(options)
        if options.command == "kvp":
            return print_pool(options)
    except EmulatorError as error:
        print(
            "lightinit-emulator: %s" % str(error).replace("\n", "\nlightinit-emulator: "),
            file=sys.stderr,
        )
        return 1
    parser.print_help()
    return 2
