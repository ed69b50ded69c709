"""What the commands share that do a part of the pipeline's work themselves."""

from ft.config import Config


def configured() -> Config:
    """The configuration; from here on log lines go where it says. Raises ConfigError."""
    from ft.streams.log import configure

    config = Config.from_env()
    configure(config)
    return config
