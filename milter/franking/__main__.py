"""Run `franking` as `python -m franking`."""

import sys

from franking.cli import main

sys.exit(main())
