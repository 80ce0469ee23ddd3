"""What systemd knows of services."""

import subprocess


def tells(question: str, unit: str) -> bool:
    """Tell whether a unit `is-active`, or `is-failed`; without systemd none is."""
    try:
        done = subprocess.run(["systemctl", question, "--quiet", unit], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0
