"""Searches devices, images and directories for files, or ejects a medium. This is a separate
program: it imports nothing of lightinit but ``reading``, the folder beside it.

Run it as ``python3 -I -S reader.py OPERATION PATH LIMIT_BYTES SECONDS MOUNT [NAME...]``. Only this
process touches the device, so a device that never answers stops only this process. The parent kills
it, or leaves it behind if it is stuck in the kernel.

The answer is lines on standard output, with tabs between their fields. Data go through the pipe and
never into a file, since they contain passwords.

- ``look``: the document on PATH. Each NAME is a file name of it, the best one first. The answer is
  one line, and the document follows "found"::

      found    BYTES  OPTICAL  HOW
      nothing  AGAIN  OPTICAL  HARMLESS  WHY

- ``eject``: ejects the medium of the drive PATH. The answer is ``ejected``, or "nothing" as above.
- ``labels``: the labels of the file systems on each NAME, which are paths; PATH is not used. A line
  is written as soon as a device has answered, so a device that hangs lacks only its own::

      label    NUMBER  KIND  LABEL
      done     NUMBER

- ``files``: the files of PATH that are named NAME, such as ``openstack/latest/meta_data.json``.
  After each "file" line come its data. What is missing has no line::

      file     NUMBER  BYTES
      refused  NUMBER  KIND  WHY
      dangling NUMBER  WHY
      end      HOW
      nothing  AGAIN  OPTICAL  HARMLESS  WHY

OPTICAL is 1 for an optical drive. AGAIN is 1 if a later search may find the document, for example
after a medium was inserted. HARMLESS is 1 if the device certainly has no such document, so that no
warning is needed. NUMBER counts the NAMEs from 0.
"""

import sys


def pass_over_damaged_bytecode():  # type: ignore[no-untyped-def]
    """Let a damaged .pyc file count as none, as ``__main__.py`` does, and for the same reason."""
    loader = sys.modules["_frozen_importlib_external"].SourceFileLoader
    read = loader.get_code

    def get_code(self, name):  # type: ignore[no-untyped-def]
        try:
            return read(self, name)
        except (EOFError, ImportError, ValueError, TypeError):  # what marshal.loads raises
            path = self.get_filename(name)
            return self.source_to_code(self.get_data(path), path)

    loader.get_code = get_code


def main():  # type: ignore[no-untyped-def]
    """Run one operation, and skip the interpreter's shutdown."""
    import os

    pass_over_damaged_bytecode()
    top = os.path.abspath(__file__)
    for _ in range(4):
        top = os.path.dirname(top)
    sys.path.append(top)
    from lightinit.host.media.reading import program

    program.main(sys.argv[1:])
    os._exit(0)


if __name__ == "__main__":
    main()
