"""New in version 1.1.0 of the user service: a trail of what was asked and answered, for support to look at.

It was written to keep the last requests with all that was known while they were served. Nothing takes the older ones
out, and a frame holds on to every frame and every local above it: each request is kept whole.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, NamedTuple

from flask import Flask, Response, request


class Step(NamedTuple):
    """One request, its answer, and where in the program it was."""

    environ: dict[str, Any]
    response: Response
    frame: FrameType


class RequestRecorder:
    """The steps, in the order of their answers."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def init_app(self, app: Flask) -> None:
        """Follows every request of `app`."""

        @app.after_request
        def follow(response: Response) -> Response:
            self.steps.append(Step({**request.environ}, response, sys._getframe()))
            return response
