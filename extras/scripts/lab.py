"""Open JupyterLab on the roadmap.

    python extras/scripts/lab.py [--port 8888]
    python extras/scripts/lab.py --configure    # once for each environment: Markdown opens rendered, no news pop-ups

The server listens on localhost only and keeps its token. Without a display it prints the address instead of opening a
browser. If the port is taken, the next free one is used.
"""

import argparse
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}


def configure() -> Path:
    """Write this environment's JupyterLab defaults; a user's own settings still come first."""
    target = Path(sys.prefix) / "share/jupyter/lab/settings/overrides.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(SETTINGS, indent=2))
    return target


def has_display() -> bool:
    """Whether a browser can open here."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def arguments(port: int) -> list[str]:
    """Return JupyterLab's command line for this machine."""
    options = [
        f"--ServerApp.root_dir={ROOT}",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--LabApp.default_url=/lab/tree/README.md",
    ]
    if not has_display():
        options.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")  # in a container everybody is root; the token still guards the door
    return options


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8888)
    parser.add_argument("--configure", action="store_true")
    args = parser.parse_args()
    if args.configure:
        configure()
        sys.exit(0)
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(arguments(args.port))
