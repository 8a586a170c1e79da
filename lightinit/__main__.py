"""The entry of ``lightinit``, of ``python3 -m lightinit``, and of ``python3 -I -S
.../lightinit/__main__.py``.

The last form is the one for boot scripts: it starts in half the time, since neither site-packages
nor any module is looked at unless there is something to do.
"""

import sys


def main():  # type: ignore[no-untyped-def]
    """Run one command. Returns the exit code."""
    from lightinit import quick

    root = quick.root_of(sys.argv[1:])
    if root is not None:
        instance = quick.provisioned(root)
        if instance is not None:
            try:
                sys.stderr.write(
                    "lightinit: instance %s is provisioned: nothing to do\n" % instance
                )
                sys.stderr.flush()
            except (OSError, ValueError, AttributeError):
                # Closed, full or gone: there is nothing else to do.
                sys.stderr = None
            return 0
    if sys.flags.no_site:
        import site

        site.main()
    import os

    for number, name in enumerate(("stdin", "stdout", "stderr")):
        # An init system may start us with these closed. What is opened next would take their place,
        # and be written to.
        if getattr(sys, name) is None:
            while os.open(os.devnull, os.O_RDWR) < number:
                pass
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))

    from lightinit import cli

    try:
        code = cli.main()
    except SystemExit as error:
        code = 1
        if error.code is None or isinstance(error.code, int):
            code = error.code or 0
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        pass
    # Not by way of the interpreter's own shutdown: a request that hangs has left a thread behind,
    # which could stop or crash it, and taking apart what was imported costs time for nothing.
    return os._exit(code)


if __name__ == "__main__":
    if not __package__:  # run as a file: the package is where this file is, not where sys.path says
        sys.path.insert(0, (__file__.rpartition("/")[0] or ".") + "/..")
    sys.exit(main())
