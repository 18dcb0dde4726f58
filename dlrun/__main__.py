"""`python -m dlrun`, and what the `dlrun` command calls."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from dlrun.commands.app import run

        run()
    except KeyboardInterrupt:  # while modules were imported
        sys.exit(130)


if __name__ == "__main__":
    main()
