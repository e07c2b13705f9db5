"""The lab's certificate authority, and the certificate it issues to the link in front of PostgreSQL.

Keys are in 0600 files in the state directory. A certificate and its key share one file, so that a reload never reads a
mixed pair.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.atomic_write import write_text
from lab.errors import LabError
from lab.paths import LOOPBACK, Home

AUTHORITY_DAYS, LIFETIME_DAYS, RENEWAL_DAYS = 3650.0, 90.0, 30.0
DAY_SECONDS = 86_400.0
# Allows for clock skew between machines.
BACKDATE_SECONDS = 60.0


@dataclass(frozen=True)
class Certificate:
    """A certificate's common name, serial number (hexadecimal) and validity (epoch seconds)."""

    name: str
    serial: str
    not_before: float
    not_after: float


def read(path: Path) -> Certificate:
    """Read the first certificate of a PEM file. Raises LabError when there is none."""
    try:
        certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError, IndexError) as error:
        raise LabError(f"{path} contains no certificate: {error}") from None
    return Certificate(
        name=str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
    )


def ensure(home: Home, name: str, now: float) -> bool:
    """Issue the certificate of `name` if it or the authority is missing or due for renewal; returns whether it did."""
    if not _is_current(home.authority, now):
        _write_authority(home, now)
        issue(home, name, LIFETIME_DAYS * DAY_SECONDS, now)
        return True
    if _is_current(home.certificate(name), now):
        return False
    issue(home, name, LIFETIME_DAYS * DAY_SECONDS, now)
    return True


def issue(home: Home, name: str, lifetime_seconds: float, now: float) -> Certificate:
    """Replace the server's certificate and key; the new one expires at `now` + `lifetime_seconds`.

    Raises LabError when the authority is missing or damaged.
    """
    path = home.authority
    try:
        authority = x509.load_pem_x509_certificate(path.read_bytes())
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise LabError(f"{path} is not an authority: {error}; remove it, and `fleetops up` creates another") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise LabError(f"{path} contains a key of another type; remove it, and `fleetops up` creates another")
    server_key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName("localhost"), x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
    certificate = (
        _builder(name, authority.subject, server_key, now, lifetime_seconds)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(home.certificate(name), certificate, server_key)
    return read(home.certificate(name))


def _is_current(path: Path, now: float) -> bool:
    try:
        return read(path).not_after > now + RENEWAL_DAYS * DAY_SECONDS
    except LabError:
        return False


def _write_authority(home: Home, now: float) -> None:
    home.authority.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fleetops lab authority")])
    certificate = (
        _builder("fleetops lab authority", subject, key, now, AUTHORITY_DAYS * DAY_SECONDS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(home.authority, certificate, key)


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: float, lifetime_seconds: float
) -> x509.CertificateBuilder:
    at = dt.datetime.fromtimestamp(now, dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - dt.timedelta(seconds=BACKDATE_SECONDS))
        .not_valid_after(at + dt.timedelta(seconds=lifetime_seconds))
    )


def _write(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_text(path, (certificate.public_bytes(serialization.Encoding.PEM) + private).decode(), mode=0o600)
