"""``python -m risbook``."""

import sys

from risbook.cli import main

if __name__ == "__main__":
    sys.exit(main())
