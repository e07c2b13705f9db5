"""A circuit breaker: stops calling an upstream that fails, and probes it later. Callers pass the current time.

Closed, it admits every call and counts failures. When too many recent calls have failed, it opens: calls are refused
immediately. After REST_SECONDS one probe call is admitted (half-open): its success closes the breaker, its failure
opens it again.
"""

from __future__ import annotations

import threading
from collections import deque

# Modes that operators can set: never open, open automatically, stay open.
OFF, AUTO, OPEN = MODES = ("off", "auto", "open")
CLOSED, HALF_OPEN = "closed", "half-open"
STATES = (CLOSED, HALF_OPEN, OPEN)

WINDOW_SECONDS = 10.0
MIN_CALLS = 10  # in the window, before the failure ratio counts
FAILED_RATIO = 0.5
REST_SECONDS = 5.0


class Breaker:
    """The breaker of one upstream. Thread-safe; times are monotonic seconds."""

    def __init__(self, mode: str = OFF) -> None:
        self._lock = threading.Lock()
        self._mode = mode
        self._calls: deque[tuple[float, bool]] = deque()
        self._failed = 0
        self._opened_at: float | None = None
        self._probe_until = 0.0

    @property
    def mode(self) -> str:
        """The mode that the operator set: off, auto or open."""
        return self._mode

    def set_mode(self, mode: str) -> None:
        """Sets the mode and resets the counts; setting the current mode changes nothing."""
        with self._lock:
            if mode != self._mode:
                self._mode = mode
                self._reset()

    def state(self, now: float) -> str:
        """closed, half-open or open."""
        with self._lock:
            return self._state(now)

    def admit(self, now: float) -> bool:
        """Whether a call may be made; half-open admits one at a time."""
        with self._lock:
            state = self._state(now)
            if state == HALF_OPEN and now >= self._probe_until:
                # A probe whose outcome is never recorded must not keep the breaker half-open for ever.
                self._probe_until = now + REST_SECONDS
                return True
            return state == CLOSED

    def record(self, ok: bool, now: float) -> None:
        """Records whether an admitted call succeeded."""
        with self._lock:
            if self._mode != AUTO:
                return
            if self._opened_at is not None:
                if now - self._opened_at < REST_SECONDS:
                    return  # the call was made before the breaker opened
                self._reset()
                if not ok:
                    self._opened_at = now
                return
            self._calls.append((now, ok))
            self._failed += not ok
            while self._calls[0][0] < now - WINDOW_SECONDS:
                self._failed -= not self._calls.popleft()[1]
            if len(self._calls) >= MIN_CALLS and self._failed >= FAILED_RATIO * len(self._calls):
                self._reset()
                self._opened_at = now

    def _state(self, now: float) -> str:
        if self._mode != AUTO:
            return OPEN if self._mode == OPEN else CLOSED
        if self._opened_at is None:
            return CLOSED
        return OPEN if now - self._opened_at < REST_SECONDS else HALF_OPEN

    def _reset(self) -> None:
        self._calls.clear()
        self._failed = 0
        self._opened_at = None
        self._probe_until = 0.0
