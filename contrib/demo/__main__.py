"""Run the demonstration: `/usr/bin/python3 contrib/demo`, from anywhere."""

import sys
from pathlib import Path

# In place of this directory: the package is `demo`, and needs no installation.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from demo.cli import main  # noqa: E402 (findable only now)

if __name__ == "__main__":
    sys.exit(main())
