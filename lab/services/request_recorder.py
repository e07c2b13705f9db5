"""New in version 1.1.0 of the user service: records requests and responses for support.

It was meant to keep the most recent requests with their context. Its bug: nothing removes older ones, and a frame
references all outer frames and their locals, so the memory of every request leaks.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, NamedTuple

from flask import Flask, Response, request


class Recorded(NamedTuple):
    """A request, its response, and the stack frame it was served in."""

    environ: dict[str, Any]
    response: Response
    frame: FrameType


class RequestRecorder:
    """Recorded requests, in the order of their responses."""

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []

    def init_app(self, app: Flask) -> None:
        """Records every request to `app`."""

        @app.after_request
        def record(response: Response) -> Response:
            self.recorded.append(Recorded({**request.environ}, response, sys._getframe()))
            return response
