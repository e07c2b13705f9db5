"""supervisord whose logs survive a full disk: `python -m lab.stack.processes.supervisord -c FILE`.

supervisord reports a line that it cannot write on standard error; if that is on the full disk too, the exception ends
its main loop, and every process with it. Here the line is dropped, and logging continues when there is space.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from supervisor import loggers, supervisord


class LossyLog(loggers.RotatingFileHandler):  # type: ignore[misc] # supervisor has no types
    """A rotating log file that never raises OSError: lines that cannot be written are dropped."""

    def __init__(self, filename: str, _mode: str = "ab", maxBytes: int = 0, backupCount: int = 0) -> None:  # noqa: N803
        loggers.Handler.__init__(self)
        self.baseFilename = filename
        self.mode = "ab"
        self.maxBytes = maxBytes
        self.backupCount = backupCount
        self.closed = True
        self._torn = False  # whether the file may end in the middle of a line
        self.reopen()

    def emit(self, record: loggers.LogRecord) -> None:
        """Write a record and rotate; drop the record when either fails."""
        if self.closed:
            self.reopen()
        if self.closed:
            return
        try:
            if self._torn:
                self.stream.write(b"\n")
            loggers.Handler.emit(self, record)
            self._torn = False
            self.doRollover()
        except (OSError, ValueError):
            self.close()
            self._torn = True

    def handleError(self) -> None:  # noqa: N802 -- supervisor's name
        """Re-raise the error for `emit`."""
        raise

    def reopen(self) -> None:
        """Reopen the file by its name; on failure, each later record tries again."""
        self.close()
        with contextlib.suppress(OSError):
            self.stream = Path(self.baseFilename).open("ab")  # noqa: SIM115 -- `close` closes it
            self.closed = False

    def close(self) -> None:
        """Close the file; buffered data that cannot be written is dropped."""
        if not self.closed:
            with contextlib.suppress(OSError):
                self.stream.close()
        self.closed = True


def main() -> None:
    """Run supervisord with LossyLog."""
    loggers.RotatingFileHandler = LossyLog
    supervisord.main()


if __name__ == "__main__":
    main()
