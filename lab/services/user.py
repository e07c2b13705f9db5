"""The user service: profiles, read through the cache and written to the database. `python -m lab.services.user`."""

from __future__ import annotations

import json

from flask import Flask, Response, abort, request

from lab import names
from lab.errors import UsageError
from lab.services.cache import Cache
from lab.services.db import Database, Row
from lab.services.fanout import OFF, VERSIONS, FanOut
from lab.services.request_recorder import RequestRecorder
from lab.telemetry.body import JsonObject, json_body, only_keys
from lab.telemetry.process import Telemetry, is_config_check, program, run
from lab.telemetry.settings import Environment, Settings
from lab.telemetry.web import new_app

CACHE_TTL_SECONDS = 120
POOL_MAX = 10
FANOUT_VERSION = "1.0.0"
# The extensions that each version adds to the app.
RELEASES: dict[str, tuple[type[RequestRecorder], ...]] = {
    names.VERSION_STABLE: (),
    names.VERSION_CANARY: (RequestRecorder,),
}
MAX_BODY_BYTES = 16 * 1024
# Maximum length in characters of each field that clients may write.
FIELDS = {"display_name": 80, "bio": 280}

_SELECT = "SELECT id, handle, display_name, bio, updated_at FROM users WHERE id = %s"
_UPDATE = """
UPDATE users SET display_name = coalesce(%s, display_name), bio = coalesce(%s, bio), updated_at = now()
WHERE id = %s RETURNING id, handle, display_name, bio, updated_at
"""


class Profiles:
    """Profiles as JSON bytes: cache-aside, invalidated on writes, stale for at most the time to live."""

    def __init__(self, database: Database, cache: Cache, fanout: FanOut | None = None) -> None:
        self._database = database
        self._cache = cache
        self._fanout = fanout

    def find(self, user_id: int) -> bytes | None:
        """The profile, or None for an unknown user."""
        key = self._key(user_id)
        cached = self._cache.get(key)
        if cached is not None:
            return cached
        with self._database.session() as session:
            row = session.row("user.select", _SELECT, [user_id])
        if row is None:
            return None
        profile = _json(row)
        self._cache.put(key, profile)
        return profile

    def change(self, user_id: int, fields: dict[str, str]) -> bytes | None:
        """Updates `fields` and returns the new profile, or None for an unknown user. Durable on return."""
        with self._database.session() as session:
            row = session.row("user.update", _UPDATE, [fields.get("display_name"), fields.get("bio"), user_id])
        if row is None:
            return None
        self._cache.delete(self._key(user_id))
        if self._fanout is not None:
            self._fanout.edited(user_id, row[2], renamed="display_name" in fields)
        return _json(row)

    @staticmethod
    def _key(user_id: int) -> str:
        return f"user:1:{user_id}"


def _json(row: Row) -> bytes:
    user_id, handle, display_name, bio, updated_at = row
    profile = {
        "id": user_id,
        "handle": handle,
        "display_name": display_name,
        "bio": bio,
        "updated_at": updated_at.isoformat(),
    }
    return json.dumps(profile, separators=(",", ":")).encode()


def checked_fields(body: JsonObject) -> dict[str, str]:
    """The validated fields of a write. Raises UsageError naming the field that is unknown, too long or not a string."""
    only_keys(body, *FIELDS)
    for field, value in body.items():
        if not isinstance(value, str):
            raise UsageError(f"{field}: {value!r:.50} is not a string")
        if not all(character.isprintable() or character == "\n" for character in value):
            raise UsageError(f"{field}: contains a character that is not printable")
        if len(value) > FIELDS[field]:
            raise UsageError(f"{field}: {len(value)} characters; at most {FIELDS[field]}")
    if not body.get("display_name", "x").strip():
        raise UsageError("display_name: is empty; enter a name")
    return body


def create_app(telemetry: Telemetry, profiles: Profiles) -> Flask:
    """The public API: GET and PUT /v1/users/{user_id}."""
    app = new_app("user", max_body_bytes=MAX_BODY_BYTES)
    telemetry.init_app(app)
    rule = names.ROUTE_USER.replace("{user_id}", "<id:user_id>")

    def answer(user_id: int, profile: bytes | None) -> Response:
        if profile is None:
            abort(404, f"no user {user_id}")
        return Response(profile, content_type="application/json")

    @app.get(rule)
    def read(user_id: int) -> Response:
        return answer(user_id, profiles.find(user_id))

    @app.put(rule)
    def write(user_id: int) -> Response:
        return answer(user_id, profiles.change(user_id, checked_fields(json_body())))

    @app.before_request
    def no_query() -> None:
        if request.query_string:
            abort(400, "this API takes no query parameters")

    return app


def main() -> None:
    """Reads the environment and serves until SIGTERM."""
    env = Environment(service="user")
    settings = Settings.read("user", environment=env, version=names.VERSION_STABLE, threads=16)
    if settings.version not in RELEASES:
        raise UsageError(
            f"{env.where(names.ENV_VERSION)}={settings.version!r} is not a version of the user service;"
            f" choose from {', '.join(RELEASES)}"
        )
    database_url = env.text(names.ENV_DATABASE_URL, example="postgresql://postgres@127.0.0.1:8096/fleetops")
    cache_url = env.text(names.ENV_CACHE_URL, example="redis://127.0.0.1:8095/0")
    pool_max = env.integer(names.ENV_POOL_MAX, POOL_MAX, 1, 100)
    ttl_seconds = env.number(names.ENV_CACHE_TTL, CACHE_TTL_SECONDS, 1, 86_400)
    fanout_version = env.text(names.ENV_FANOUT, FANOUT_VERSION)
    if fanout_version not in (OFF, *VERSIONS):
        raise UsageError(
            f"{env.where(names.ENV_FANOUT)}={fanout_version!r} is not a version of the fan-out writer;"
            f" choose from {', '.join((OFF, *VERSIONS))}"
        )
    if is_config_check(env):
        return
    telemetry = Telemetry(settings)
    database = Database(database_url, application=settings.instance, pool_max=pool_max, registry=telemetry.registry)
    cache = Cache(cache_url, name="user", ttl_seconds=ttl_seconds, registry=telemetry.registry)
    telemetry.health.add("db", database.ping)
    database.open()
    fanout = FanOut(database, cache_url, fanout_version, telemetry.registry)
    fanout.start()
    app = create_app(telemetry, Profiles(database, cache, fanout))
    for extra in RELEASES[settings.version]:
        extra().init_app(app)
    run(
        telemetry,
        app,
        telemetry.admin_app(),
        [fanout.close, database.close, cache.close],
    )


if __name__ == "__main__":
    program(main)
