"""TLS to a scheduler: the files of this client, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ClusterError

OPTIONS = "--tls-ca, --tls-cert and --tls-key"


@dataclass(frozen=True)
class TlsFiles:
    """PEM files; what is None is looked for in Dask's configuration (``distributed.comm.tls``).

    Attributes
    ----------
    ca
        Certificates of the authorities that a scheduler's may be signed by.
    cert, key
        Certificate and private key of this client; without a key, the certificate's file has both.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    @property
    def are_given(self) -> bool:
        """Whether there is any."""
        return any((self.ca, self.cert, self.key))

    def address(self, address: str) -> str:
        """The address with its scheme, which is tls where files are given.

        Raises
        ------
        ClusterError
            It has another.
        """
        if not self.are_given or address.startswith("tls://"):
            return address
        if "://" in address:
            raise ClusterError(
                f"The scheduler at {address} is to be reached without TLS, but {OPTIONS} are for "
                "TLS: leave them out, or name a scheduler at tls://..."
            )
        return f"tls://{address}"

    def security(self, address: str) -> Any:
        """What a client of the scheduler at an address passes to distributed.

        Raises
        ------
        ClusterError
            The address needs TLS, and the files are missing, no PEM, or do not fit together.
        """
        from distributed.security import Security

        for option, path in (("ca", self.ca), ("cert", self.cert), ("key", self.key)):
            if path is not None and not Path(path).is_file():
                raise ClusterError(f"--tls-{option} names no file, {path!r}: check its path.")
        given = {"tls_ca_file": self.ca, "tls_client_cert": self.cert, "tls_client_key": self.key}
        security = Security(
            require_encryption=self.are_given or None,
            **{name: path for name, path in given.items() if path is not None},
        )
        try:
            context = security.get_connection_args("client")["ssl_context"]
        except (OSError, ValueError) as error:
            what = getattr(error, "reason", None) or error
            raise ClusterError(
                f"The TLS files can't be used ({what}): check that {OPTIONS} are PEM files, and "
                "that the key is the certificate's."
            ) from error
        if context is None and address.startswith("tls://"):
            raise ClusterError(
                f"The scheduler at {address} wants TLS: give {OPTIONS}, or their paths in Dask's "
                "configuration, distributed.comm.tls."
            )
        return security


def mend(address: str) -> str:
    """What to look at where nothing answers at an address."""
    if address.startswith("tls://"):
        return (
            "check the address, that it runs, that --tls-ca is of the authority of its "
            "certificate, and --tls-cert and --tls-key of one that it accepts."
        )
    return f"check the address, that it runs, and whether it wants TLS: tls://..., with {OPTIONS}."
