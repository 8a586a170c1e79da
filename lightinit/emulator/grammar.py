"""The grammar of the emulator's command line: commands, options and their help texts. It runs
nothing.
"""

from __future__ import annotations

import argparse
from typing import Any, Tuple

from lightinit.emulator.ec2.service import TOKENS
from lightinit.emulator.host_side.guest_side import add_commands
from lightinit.emulator.platforms import PLATFORMS
from lightinit.emulator.seeds.command import add_seed

# Any free port of the loopback interface.
FREE = ("127.0.0.1", 0)
RAW = argparse.RawDescriptionHelpFormatter
_ABOUT = """Plays the Azure platform (WireServer and IMDS), or the metadata service of EC2 or
OpenStack, for an agent that provisions Linux VMs.

It is as strict as the platform: it refuses a wrong request and says why.
A scenario adds faults."""
_RUN = """Listen until SIGTERM or SIGINT.
The first line on standard output is a JSON object with the addresses.

To use the platform's real addresses, add them to an interface first (as root, in a network
namespace or on a machine that is not on Azure):
  ip link set lo up; ip addr add 168.63.129.16/32 dev lo; ip addr add 169.254.169.254/32 dev lo"""


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


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= len(text) <= 9 or not int(text):
        raise argparse.ArgumentTypeError("%r is not a number from 1" % text)
    return int(text)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="lightinit-emulator", description=_ABOUT, formatter_class=RAW
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_run(commands)
    _add_scenarios(commands)
    add_commands(commands)
    add_seed(commands)
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser(
        "run", help="play the platform", description=_RUN, formatter_class=RAW
    )
    _add_platform(run)
    _add_addresses(run)
    run.add_argument(
        "--scenario",
        default="good",
        metavar="NAME|FILE",
        help="the name of a shipped scenario, or a file's path, with a slash or .json in it "
        "(good); ec2 and openstack: a file with their faults",
    )
    run.add_argument(
        "--instance", metavar="FILE", help="a JSON object that is merged into the VM's metadata"
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


def _add_platform(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--platform",
        choices=("azure", *PLATFORMS),
        default="azure",
        help="which platform to play (azure)",
    )
    run.add_argument(
        "--tokens",
        choices=TOKENS,
        help="ec2: whether each request needs a token, may have one, or there are none, as with an "
        "old service; off: the service is switched off for the VM (required)",
    )
    run.add_argument(
        "--token-requests",
        type=_count,
        metavar="N",
        help="ec2: a token is good for N requests (default: for its lifetime)",
    )


def _add_addresses(run: argparse.ArgumentParser) -> None:
    for option, text in (
        ("--wireserver", "where the WireServer listens (127.0.0.1:0; port 0 means any free port)"),
        ("--imds", "where IMDS, or another platform's metadata service, listens (127.0.0.1:0)"),
    ):
        run.add_argument(
            option,
            type=_address,
            default=FREE if option == "--imds" else None,
            metavar="HOST:PORT",
            help=text,
        )
    run.add_argument(
        "--host-plugin",
        type=_address,
        metavar="HOST:PORT",
        help="where the HostGAPlugin, which guest agents use, listens (default: none)",
    )


def _add_scenarios(commands: Any) -> None:
    """Add the commands about scenarios: ``scenarios`` and ``check``."""
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
