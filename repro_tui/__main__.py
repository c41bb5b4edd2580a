"""`python -m repro_tui`."""

import sys

from repro_tui.cli.main import main

sys.exit(main())
