"""`dlrun new`, called as on a command line, in the current folder."""

import pytest
import typer
from typer.testing import CliRunner

from dlrun.commands.write import new as command
from dlrun.errors import SpecError

app = typer.Typer()
app.command()(command.new)


def run(*words: str) -> str:
    """What it prints."""
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def refused(*words: str) -> str:
    """The error that it ends in."""
    with pytest.raises(SpecError) as caught:
        CliRunner().invoke(app, list(words), catch_exceptions=False)
    return str(caught.value)
