"""Say what is wrong with this Python before anything is installed. Runs on any Python 3, with nothing installed."""

import sys

NEEDED = (3, 11)  # the oldest that the versions in constraints.txt support; dlutils itself runs on 3.10


def main():
    if sys.version_info < NEEDED:
        have = "%d.%d" % sys.version_info[:2]  # noqa: UP031 - readable by old Pythons
        sys.exit(
            "Python %d.%d or newer is needed, and %s is %s.\n" % (*NEEDED, sys.executable, have)  # noqa: UP031
            + "Install a newer one from https://www.python.org/downloads/ and name it:  make lab PYTHON=python3.12"
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        sys.exit(
            "This Python can't make virtual environments (%s). On Debian or Ubuntu:  sudo apt install python3-venv\n"  # noqa: UP031
            "On other systems install Python from https://www.python.org/downloads/" % error
        )


if __name__ == "__main__":
    main()
