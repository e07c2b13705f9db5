"""Server-side TLS with a certificate that can be reloaded at run time."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509

from lab.errors import LabError

# libpq's direct TLS negotiation requires this ALPN protocol.
ALPN = "postgresql"


class ServerCertificate:
    """The certificate that new connections get; existing ones keep theirs. Raises LabError for an invalid file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols([ALPN])
        self.not_after = 0.0
        self.reload()

    def reload(self) -> float:
        """Reload the file. Returns the expiry in epoch seconds.

        Raises LabError when the file is invalid; the old certificate then stays in use.
        """
        try:
            not_after = x509.load_pem_x509_certificate(self._path.read_bytes()).not_valid_after_utc.timestamp()
            self.context.load_cert_chain(self._path)
        except (OSError, ValueError) as error:
            raise LabError(f"{self._path} is not a certificate with its key: {error}") from None
        self.not_after = not_after
        return not_after
