"""`python -m gantrans` is `gantrans`."""

import sys

from gantrans.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
