"""A certificate authority of this user's own and a certificate for loopback, for clients that insist on https.

Files are private to the user and made anew when they run out. Nothing here is trusted by anything until the user says
so.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from console.clock import Clock, SystemClock
from console.profile import save_privately

VALID_DAYS = 30
NAMES: Sequence[str] = (
    "localhost",
    "*.openai.azure.com",
    "*.azure-api.net",
    "management.azure.com",
    "login.microsoftonline.com",
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """`key_file`: certificate and key in one PEM file. `authority_file`: what clients must trust."""

    key_file: Path
    authority_file: Path


def make_certificate(folder: Path | None = None, clock: Clock | None = None) -> Certificate:
    """Make an authority and a certificate signed by it, for this machine's loopback and the hosts played there."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = (clock or SystemClock()).now()
    place = folder or _state_folder()
    names = [x509.DNSName(name) for name in NAMES]
    addresses = [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def started(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=VALID_DAYS))
        )

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = named("genaigw-console embedded Azure")
    authority = (
        started(authority_name, authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        started(named("localhost"), authority_name, key)
        .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    key_file, authority_file = place / "loopback.pem", place / "authority.pem"
    save_privately(key_file, certificate.public_bytes(pem).decode() + private)
    save_privately(authority_file, authority.public_bytes(pem).decode())
    return Certificate(key_file, authority_file)


def _state_folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return Path(base) / "genaigw-console" / "simulator"
