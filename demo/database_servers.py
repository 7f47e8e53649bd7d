"""PostgreSQL and Redis from the machine's packages, as servers of one stack on loopback."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.stack import StackError

INSTALL = "apt-get install postgresql redis-server"


class ServerMissingError(StackError):
    """A server is not installed; the message says how to install it."""


@dataclass(frozen=True, kw_only=True)
class PostgreSql:
    """A PostgreSQL server of our own: its data, its port, the user ``airflow`` and its database."""

    state: Path
    port: int
    password: str

    @property
    def folder(self) -> Path:
        """The folder of all its files.

        PostgreSQL refuses to run as root. The user it runs as instead must be able to reach its folder, and
        a checkout (or pytest's temporary folder) may lie where only root gets to.
        """
        if not _is_root():
            return self.state / "postgres"
        digest = hashlib.sha256(str(self.state.resolve()).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"roundtruth-postgres-{digest}"

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def command(self) -> list[str]:
        """The server, on loopback alone and without a socket file."""
        return [
            *(_program("postgres"), "-D", str(self.data), "-p", str(self.port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
            *("-c", "max_connections=200"),
        ]

    @property
    def process_options(self) -> dict[str, Any]:
        """What ``Popen`` is told: the folder to work in, and the user to run as."""
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if _is_root() else {}
        return {"cwd": self.folder, "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}} | user

    @property
    def address(self) -> str:
        """User, password, host, port and database, as they stand in a database URL."""
        return f"airflow:{self.password}@127.0.0.1:{self.port}/airflow"

    def prepare(self) -> None:
        """Make the data folder, once.

        :raises ServerMissingError: when there is no PostgreSQL on this machine.
        :raises StackError: when the folder cannot be made.
        """
        if (self.data / "PG_VERSION").exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True)
        password_file = self.folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        if _is_root():
            owner = pwd.getpwnam("postgres")
            for path in (self.folder, password_file):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        done = subprocess.run(
            [
                *(_program("initdb"), "-D", str(self.data), "--username=airflow", "--encoding=UTF8"),
                *("--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync"),
            ],
            capture_output=True,
            text=True,
            check=False,
            **self.process_options,
        )
        if done.returncode:
            raise StackError(f"PostgreSQL's data folder {self.data} could not be made.\n{done.stderr}")

    def is_ready(self) -> bool:
        """Whether the server takes connections; makes the database when it does for the first time."""
        import psycopg2

        try:
            connection = psycopg2.connect(self._conninfo("postgres"))
        except psycopg2.OperationalError:
            return False
        connection.autocommit = True  # CREATE DATABASE runs in no transaction
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = 'airflow'")
                if cursor.fetchone() is None:
                    cursor.execute("CREATE DATABASE airflow")
        finally:
            connection.close()
        return True

    def _conninfo(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=airflow password={self.password} dbname={database}"


@dataclass(frozen=True, kw_only=True)
class Redis:
    """A Redis server of our own, which keeps nothing on disk, as in docker-compose.yaml."""

    state: Path
    port: int
    password: str

    @property
    def command(self) -> list[str]:
        """The server; its password stands in a file, where no list of processes shows it."""
        return [_program("redis-server"), str(self._settings)]

    @property
    def url(self) -> str:
        """The address of the broker."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Write the server's settings.

        :raises ServerMissingError: when there is no Redis on this machine.
        """
        _program("redis-server")
        self._settings.touch(mode=0o600)
        self._settings.write_text(
            f'bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\nsave ""\nappendonly no\n'
            f"dir {self.state}\n"
        )

    def is_ready(self) -> bool:
        """Whether the server answers."""
        from redis import Redis as Client
        from redis.exceptions import RedisError

        try:
            return bool(Client.from_url(self.url).ping())
        except (RedisError, OSError):
            return False

    @property
    def _settings(self) -> Path:
        return self.state / "redis.conf"


def missing_servers() -> str | None:
    """What has to be installed before a Celery stack can run, or None."""
    try:
        for name in ("postgres", "initdb", "redis-server"):
            _program(name)
    except ServerMissingError as error:
        return str(error)
    return None


def _program(name: str) -> str:
    # Debian puts PostgreSQL's programs in a folder a version, not on PATH.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    found = shutil.which(name) or next(
        (str(path / name) for path in reversed(folders) if (path / name).exists()), None
    )
    if found is None:
        raise ServerMissingError(f"{name} is not installed; install it, on Debian: {INSTALL}.")
    return found


def _is_root() -> bool:
    return os.geteuid() == 0
