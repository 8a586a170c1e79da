"""The entry of ``lightinit``, of ``python3 -m lightinit``, and of ``python3 -I -S
.../lightinit/__main__.py``.

Boot scripts use the last form. It starts in half the time: it looks at site-packages and imports
modules only if there is something to do.
"""

import sys


def pass_over_damaged_bytecode():  # type: ignore[no-untyped-def]
    """Let a damaged .pyc file count as none.

    A power cut or a full disk may leave one that is cut short. Python itself passes over one that
    ends within its header, but otherwise the import raises EOFError, at each start, for ever.
    """
    loader = sys.modules["_frozen_importlib_external"].SourceFileLoader
    read = loader.get_code

    def get_code(self, name):  # type: ignore[no-untyped-def]
        try:
            return read(self, name)
        except (EOFError, ValueError, TypeError):  # what marshal.loads raises
            path = self.get_filename(name)
            return self.source_to_code(self.get_data(path), path)

    loader.get_code = get_code


def main():  # type: ignore[no-untyped-def]
    """Run one command. Returns the exit code."""
    pass_over_damaged_bytecode()
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
        # An init system may start lightinit with these closed. The next file to be opened would
        # take their place, and output would be written to it.
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
    # Skip the interpreter's shutdown: it costs time, and a thread with a request that hangs could
    # block or crash it.
    return os._exit(code)


if __name__ == "__main__":
    if not __package__:  # run as a file: import the package from this file's folder
        sys.path.insert(0, (__file__.rpartition("/")[0] or ".") + "/..")
    sys.exit(main())
