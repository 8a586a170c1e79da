"""The command line's grammar: commands, options and their help texts. It runs nothing."""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import Any, Dict, List, NoReturn, Sequence

from lightinit import __version__
from lightinit.errors import EXIT_USAGE

EPILOG = """exit codes:
  0   done (boot: also with warnings, if nothing was left to do, or on another platform)
  1   failed, or another error; clean, generalize: some steps failed
  2   status: done, with warnings
  3   status: not run, running, or disabled; query, analyze, stage, module: nothing to work on yet
  64  the command line is wrong; generalize: no terminal to ask on
  66  schema: the file cannot be read
  75  another lightinit is running
  77  not permitted: run as root, or use --root with a directory of your own
  130, 143  stopped by a signal; the next boot resumes

files:
  /etc/lightinit/lightinit.conf, conf.d/*.conf   settings        /var/log/lightinit.log   the log
  /var/lib/lightinit/instance/                   what was done   \
/run/lightinit/          live progress
"""


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong command line exits with 64, because 2 is a status.

    Attributes:
        options_by_command: the options of each command.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.options_by_command: Dict[str, List[str]] = {}

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """argparse lists all choices. This names the nearest one, as for a setting."""
        if action.choices is None or value in action.choices:
            return
        import difflib

        known = [str(each) for each in action.choices]
        near = difflib.get_close_matches(str(value), known, 1, 0.5)
        hint = "known are: %s" % ", ".join(known)
        if near:
            hint = "did you mean %s?" % near[0]
        what = self.prog.split()[-1] if action.dest == "name" else action.dest
        raise argparse.ArgumentError(None, "there is no %s %s; %s" % (what, ascii(value), hint))

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does. A misspelt option gets the nearest one."""
        self._check_first(sys.argv[1:] if args is None else args)
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            import difflib

            text = "there is no such argument here: %s" % " ".join(ascii(each) for each in unknown)
            known = self.options_by_command.get(getattr(found, "command", None) or "", [])
            near = difflib.get_close_matches(unknown[0].partition("=")[0], known, 1, 0.5)
            self.error("%s; did you mean %s?" % (text, near[0]) if near else text)
        return found

    def _check_first(self, words: Sequence[str]) -> None:
        """Refuse an unknown option before the command: argparse would take its value for one."""
        known = list(self._option_string_actions)
        option = words[0].partition("=")[0] if words else ""
        if option[:2] != "--" or any(each.startswith(option) for each in known):
            return
        import difflib

        text = "there is no such option before a command: %s" % ascii(option)
        near = difflib.get_close_matches(option, known, 1, 0.6)
        if any(option in each for each in self.options_by_command.values()):
            text += "; put it after the command"
        elif near:
            text += "; did you mean %s?" % near[0]
        self.error(text)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print it at once. An error is one of this command; newer argparse would hide it."""
        file = file or sys.stderr
        file.write(message)
        file.flush()

    def error(self, message: str) -> NoReturn:
        """Print the mistake and how to get help."""
        with contextlib.suppress(OSError):  # nobody can be told; the exit code says it
            sys.stderr.write("%s: %s\nTry: %s --help\n" % (self.prog, message, self.prog))
        raise SystemExit(EXIT_USAGE)


def make_parser() -> Parser:
    """Return the parser of the command line."""
    root = Parser(add_help=False)
    root.add_argument(
        "--root",
        metavar="DIR",
        default=argparse.SUPPRESS,
        help=(
            "use the root file system in DIR instead of this machine: only files below DIR are "
            "changed (default: /)"
        ),
    )
    parser = Parser(
        prog="lightinit",
        parents=[root],
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Provision a Linux VM, once per instance. At boot: lightinit boot.",
    )
    parser.add_argument("--version", action="version", version="lightinit " + __version__)
    commands = _Commands(parser, root)
    _add_runs(commands)
    _add_status(commands)
    _add_views(commands)
    _add_removals(commands)
    for name, each in commands.parsers.items():
        parser.options_by_command[name] = list(each._option_string_actions)
    return parser


class _Commands:
    """Adds commands to the parser. Each has the options of ``root``, too."""

    def __init__(self, parser: Parser, root: Parser) -> None:
        self._root = root
        self.parsers: Dict[str, argparse.ArgumentParser] = {}
        self._commands: Any = parser.add_subparsers(
            dest="command", metavar="COMMAND", parser_class=Parser
        )

    def add(self, name: str, text: str) -> argparse.ArgumentParser:
        """Add a command whose help is ``text``; return its parser."""
        parser: argparse.ArgumentParser = self._commands.add_parser(
            name, parents=[self._root], help=text, description=text[0].upper() + text[1:] + "."
        )
        self.parsers[name] = parser
        return parser


def _add_runs(commands: _Commands) -> None:
    """Add the commands that provision: ``boot``, ``stage`` and ``module``."""
    boot = commands.add(
        "boot",
        "run all stages that are not done: find the network, fetch the instance's data, run the"
        " modules, report to the platform; does nothing if the instance is done",
    )
    boot.add_argument(
        "--background",
        action="store_true",
        help="end after the report: what runs after Ready goes on in the background",
    )
    stage = commands.add("stage", "run one stage of a boot, unless it is done")
    stages = ("local", "fetch", "config", "final")
    stage.add_argument("name", choices=stages, metavar=_one_of(stages), help="which stage")
    stage.add_argument("--force", action="store_true", help="run it even if it is done")
    module = commands.add(
        "module",
        "run one module of the config stage, unless it is done; needs the fetch stage's data",
    )
    module.add_argument("name", metavar="MODULE", help="the module's name, as in `modules =`")
    module.add_argument("--force", action="store_true", help="run it even if it is done")


def _add_status(commands: _Commands) -> None:
    status = commands.add(
        "status",
        "show the status of provisioning; exit codes: 0 done, 1 failed, 2 done with warnings, 3 not"
        " run, running or disabled",
    )
    status.add_argument(
        "--wait", action="store_true", help="wait until provisioning has ended, or time is up"
    )
    status.add_argument(
        "--timeout",
        type=_seconds,
        default=1200.0,
        metavar="S",
        help="with --wait: seconds to wait at most (default: 1200)",
    )
    status.add_argument(
        "--start-timeout",
        type=_seconds,
        default=60.0,
        metavar="S",
        help="with --wait: seconds to wait for the start (default: 60)",
    )
    status.add_argument("--long", action="store_true", help="show all details")
    status.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="json: all details, for scripts",
    )


def _add_views(commands: _Commands) -> None:
    """Add the other commands that only show: ``query``, ``datasources``, ``analyze``, ``config``,
    ``schema``.
    """
    query = commands.add("query", "show what the platform said about this instance")
    query.add_argument(
        "path",
        nargs="?",
        default="",
        help="a dotted path such as admin.name or raw.imds.compute.vmSize; without it: all data;"
        " userdata: the parts of user data, and how each ended; platform: the datasource, and on"
        " standard error why not another one",
    )
    query.add_argument("--all", action="store_true", help="all data, as without a path")
    query.add_argument(
        "--secrets", action="store_true", help="include passwords and user data; only for root"
    )
    sources = commands.add(
        "datasources",
        "show which datasource a boot would take, and why not the others; exit code 1 if none",
    )
    sources.add_argument(
        "--format", choices=("text", "json"), default="text", help="json: for scripts"
    )
    analyze = commands.add("analyze", "show how long each part of the last provisioning took")
    views = ("blame", "show")
    analyze.add_argument(
        "view", choices=views, metavar=_one_of(views), help="blame: slowest first; show: in order"
    )
    analyze.add_argument(
        "--format", choices=("text", "json"), default="text", help="json: for scripts"
    )
    config = commands.add(
        "config",
        "show the effective settings and the origin of each; exit code 1 if there are mistakes",
    )
    config.add_argument(
        "--format", choices=("text", "json"), default="text", help="json: for scripts"
    )
    schema = commands.add(
        "schema",
        "check user data without running them: each mistake with its line and what to do;"
        " exit code 1 if something in them would have no effect",
    )
    schema.add_argument("file", metavar="FILE", help="the document; - reads standard input")


def _add_removals(commands: _Commands) -> None:
    """Add the commands that remove: ``clean`` and ``generalize``."""
    clean = commands.add(
        "clean",
        "forget every instance, so that the next boot provisions again and makes new SSH host keys;"
        " keeps marks of frequency once, and the modules' changes to the machine, unless an option"
        " removes them",
    )
    clean.add_argument("--logs", action="store_true", help="remove the log as well")
    clean.add_argument(
        "--machine-id", action="store_true", help="let the next boot make a new machine id"
    )
    clean.add_argument(
        "--ssh-host-keys",
        action="store_true",
        help=(
            "remove the SSH host keys now; without this option, "
            "they are used until the next boot makes new ones"
        ),
    )
    clean.add_argument(
        "--user",
        action="store_true",
        help="remove the accounts that lightinit provisioned, with their homes",
    )
    clean.add_argument(
        "--reboot", action="store_true", help="reboot afterwards, unless a step failed"
    )
    generalize = commands.add(
        "generalize",
        "prepare the disk for an image: do what clean does (accounts only with --user), and remove"
        " everything that belongs to this machine alone, such as DHCP leases, the host name, logs,"
        " histories, random seeds and MAC addresses; SSH host keys only if lightinit will make new"
        " ones; notes say what else to look at",
    )
    generalize.add_argument(
        "--user",
        action="store_true",
        help="remove the accounts that lightinit provisioned, with their homes",
    )
    generalize.add_argument("--yes", action="store_true", help="do not ask, for scripts")
    generalize.add_argument(
        "--dry-run",
        action="store_true",
        help=(
            "show what would be removed, what stays with a note, and what is left alone; change"
            " nothing"
        ),
    )


def _one_of(choices: Sequence[str]) -> str:
    """How argparse shows choices; given to it, so that it names them where the argument is
    missing.
    """
    return "{%s}" % ",".join(choices)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError("%r is not a number of seconds" % text) from None
    if not 0 <= value <= 86400:
        raise argparse.ArgumentTypeError("must be from 0 to 86400 seconds")
    return value
