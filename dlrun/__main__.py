"""`python -m dlrun`, and what the `dlrun` command calls."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from dlrun.commands.app import run

    run()


if __name__ == "__main__":
    main()
