"""`python -m bswirl.cli` is `bswirl`."""

import sys

from bswirl.cli import main

sys.exit(main())
