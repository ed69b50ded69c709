"""A database and topics of the demo's own, and ft's processes on them."""

import json
import os
import secrets
import signal
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
from psycopg import sql

from ft import children
from ft.children import FT, WORKER, Child
from ft.config import Config
from ft.embedded.progress import Progress, Quiet
from ft.sql.databases import drop_database
from ft.streams.kafka.topic_admin import delete_topics, topic_names

DATABASE = "ft_demo"
_PREFIX = "demo-"
_START_S = 60.0


def fresh(config: Config, networks_file: Path | None) -> Config:
    """An empty database and new topics beside the deployment's own; what an earlier demo left is removed."""
    stop_api(config)
    drop_database(config.postgres, DATABASE, patience_s=_START_S)
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    delete_topics(config, [name for name in topic_names(config) if name.startswith(_PREFIX)])
    url = urlsplit(config.postgres)._replace(path=f"/{DATABASE}").geturl()
    return replace(
        config,
        addresses={**config.addresses, "FT_POSTGRES": url},
        topic_prefix=f"{_PREFIX}{secrets.token_hex(3)}.",
        networks_file=networks_file or config.networks_file,
    )


def start_worker(config: Config) -> Child:
    """``faust -A ft worker`` with every agent."""
    return children.start(config, "demo-worker", WORKER)


def start_api(config: Config) -> tuple[Child, str]:
    """The API on a free port; it goes on after the demo, until `ft down` or the next demo. Returns its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    api = children.start(config, "demo-api", (*FT, "api", "--host", "127.0.0.1", "--port", str(port)), detached=True)
    _note(config).parent.mkdir(parents=True, exist_ok=True)
    left = {"pid": api.process.pid, "started": psutil.Process(api.process.pid).create_time()}
    _note(config).write_text(json.dumps(left))
    url = f"http://127.0.0.1:{port}"
    children.wait_for(lambda: _answers(url), "the API to answer", timeout_s=_START_S, children=[api])
    return api, url


def stop_api(config: Config, progress: Progress | None = None) -> None:
    """Stop the API that a demo left running, if one did."""
    note = _note(config)
    with suppress(OSError, ValueError, KeyError, psutil.NoSuchProcess):
        left = json.loads(note.read_text())
        process = psutil.Process(left["pid"])
        if abs(process.create_time() - left["started"]) < 1:
            progress = progress or Quiet()
            progress.say(f"stopping the demo's API (pid {process.pid})")
            with progress.doing("waiting for the demo's API to answer what it was asked"):
                os.killpg(process.pid, signal.SIGTERM)
                psutil.wait_procs([process], timeout=10)
    note.unlink(missing_ok=True)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _note(config: Config) -> Path:
    return config.home / "run" / "demo-api.json"
