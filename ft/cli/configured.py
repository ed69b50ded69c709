"""How a command that does a part of the pipeline's work begins."""

from ft.config import Config


def configured(*, printed: bool = False) -> Config:
    """The configuration; from here on log lines go where it says. Raises ConfigError.

    ``printed``: so does whatever else is said on stderr, also where nobody has chosen JSON: of commands that run on
    and on, and are read by programs.
    """
    from ft.telemetry import log, takeover

    config = Config.from_env()
    if printed or config.log_format == "json":
        takeover.take_over(config)
    else:
        log.configure(config)
    return config
