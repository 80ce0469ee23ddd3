"""An SMTP client: TLS by STARTTLS, a login, and every reply as it came."""

import re
import smtplib
import ssl
from dataclasses import dataclass
from typing import Self

from demo.mail import Mail
from demo.private_stack import Endpoint

NAME = "app.acme.example"
"""The name in EHLO; given, because smtplib would ask the DNS for one."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The last reply to a message: at MAIL if that was refused, else at RCPT, else at its end."""

    code: int
    text: str

    def __str__(self) -> str:
        """Put back what smtplib took apart: the code before each line, a hyphen behind it in all but the last."""
        *first, last = self.text.split("\n")
        return "\n".join([*(f"{self.code}-{line}" for line in first), f"{self.code} {last}"])

    @property
    def queue_id(self) -> str:
        """Return the queue ID in it, as Postfix or as Franking tells it; else nothing."""
        found = re.search(r"(?:queued as|reference) (\w+)$", self.text)
        return found[1] if found else ""


class Client:
    """One connection of one login; leave it as a context manager."""

    def __init__(self, endpoint: Endpoint, login: str) -> None:
        """Connect, start TLS and log in."""
        self._smtp = smtplib.SMTP(endpoint.host, endpoint.port, local_hostname=NAME, timeout=30)
        self._smtp.starttls(context=ssl.create_default_context(cafile=endpoint.certificate))
        self._smtp.login(login, endpoint.password)

    def __enter__(self) -> Self:
        """Return the open connection."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Hang up."""
        self._smtp.close()

    def submit(self, mail: Mail) -> Reply:
        """Submit one message."""
        smtp = self._smtp
        smtp.rset()
        code, text = smtp.mail(mail.sender)
        if code == 250:
            code, text = smtp.rcpt(mail.recipient)
        if code == 250:
            code, text = smtp.data(mail.octets())
        return Reply(code, text.decode())
