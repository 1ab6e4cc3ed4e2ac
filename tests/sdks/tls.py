"""TLS in front of a server, for clients that speak nothing else: what a load balancer does, in little."""

import asyncio
import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.vendors.server import Arrived, Server

_NOT_PASSED = {"connection", "keep-alive", "x-forwarded-proto", "transfer-encoding", "content-length"}


@dataclass
class Terminator(Server):
    """Passes each request on to 127.0.0.1:`behind`, saying that it came by https, and the answer back as it comes."""

    behind: int = 0

    async def answer(self, arrived: Arrived, writer: asyncio.StreamWriter) -> None:
        reader, onward = await asyncio.open_connection("127.0.0.1", self.behind)
        pairs = [(name, value) for name, value in arrived.pairs if name.lower() not in _NOT_PASSED]
        pairs += [("X-Forwarded-Proto", "https"), ("Connection", "close"), ("Content-Length", str(len(arrived.body)))]
        lines = [f"{arrived.method} {arrived.path} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs)]
        onward.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + arrived.body)
        try:
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
        finally:
            onward.close()
        raise ConnectionError  # each connection carries one request, in front as behind


def self_signed(folder: Path, host: str = "127.0.0.1") -> tuple[Path, ssl.SSLContext]:
    """A certificate that signs itself: the file to trust, beside which is `key.pem`, and the context for a server.

    Parameters: host, an IPv4 address or a name.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    is_address = host.replace(".", "").isdigit()
    meant = x509.IPAddress(ipaddress.ip_address(host)) if is_address else x509.DNSName(host)
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([meant]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, secret = folder / "certificate.pem", folder / "key.pem"
    trusted.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, secret)
    return trusted, context
