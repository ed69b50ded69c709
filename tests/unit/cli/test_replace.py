"""What `ft replace` refuses before it does anything."""

import pytest
from click.testing import CliRunner

from ft.cli.replace import command
from ft.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["polygon", "--from", "9", "--to", "5"], "expected 9 (--from) or more, got 5"),
        (["polygon", "--from", "9"], "Missing option '--to'"),
        (["polygon", "--to", "9"], "Missing option '--from'"),
        ([], "Missing argument 'NETWORK'"),
    ],
)
def test_a_range_must_be_whole(options: list[str], said: str) -> None:
    result = CliRunner().invoke(command, options)

    assert result.exit_code == 2
    assert said in result.output


def test_an_unknown_network_names_the_known_ones() -> None:
    result = CliRunner().invoke(command, ["nosuch", "--from", "1", "--to", "2"])

    assert isinstance(result.exception, ConfigError)
    assert "expected one of arbitrum" in str(result.exception)
