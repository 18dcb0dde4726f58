"""`python -m dlrun`, and what the `dlrun` command calls."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line."""
    from dlrun.commands import interrupts

    interrupts.end_at_once()
    try:
        from dlrun.commands.app import run

        run()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command is over; what follows takes a moment, and no more


if __name__ == "__main__":
    main()
