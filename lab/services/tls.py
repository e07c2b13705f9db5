"""The server's side of TLS: a certificate that can be read anew while connections are served."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509

from lab.errors import LabError

# libpq's direct negotiation asks for it, and refuses a server that does not answer with it.
ALPN = "postgresql"


class ServerCertificate:
    """What new connections are shown. Connections that stand keep what they were shown."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols([ALPN])
        self.not_after = 0.0
        self.reload()

    def reload(self) -> float:
        """Read the file again; when it ends (epoch seconds). LabError, and the old one stays, when it is no good."""
        try:
            not_after = x509.load_pem_x509_certificate(self._path.read_bytes()).not_valid_after_utc.timestamp()
            self.context.load_cert_chain(self._path)
        except (OSError, ValueError) as error:
            raise LabError(f"{self._path} is no certificate with its key: {error}") from None
        self.not_after = not_after
        return not_after
