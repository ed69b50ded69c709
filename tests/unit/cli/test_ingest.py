"""What `ft ingest` refuses before it does anything."""

import pytest
from click.testing import CliRunner

from ft.cli.ingest import command
from ft.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["polygon", "--follow", "--to", "5"], "leave out --to"),
        (["polygon", "--from", "9", "--to", "5"], "expected 9 (--from) or more, got 5"),
        (["polygon", "--follow", "--bulk"], "leave out --follow"),
        (["polygon", "--abandon"], "give --bulk too"),
        (["polygon", "--from", "-1"], "-1 is not in the range"),
        ([], "Missing argument 'NETWORK'"),
    ],
)
def test_options_that_do_not_go_together_are_a_usage_error(options: list[str], said: str) -> None:
    result = CliRunner().invoke(command, options)

    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize(("network", "said"), [("nosuch", "expected one of arbitrum"), ("polygon ", "got 'polygon '")])
def test_an_unknown_network_names_the_known_ones(network: str, said: str) -> None:
    result = CliRunner().invoke(command, [network, "--from", "1"])

    assert isinstance(result.exception, ConfigError)
    assert said in str(result.exception)
