"""The messages, as an application might write them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mail:
    """One message: its envelope, its header fields as they travel, folded ones with CR LF in them, and its body."""

    sender: str
    recipient: str
    fields: tuple[str, ...]
    body: str = "Hello.\r\n"

    def octets(self) -> bytes:
        """Return what is sent after DATA."""
        return "\r\n".join([*self.fields, "", self.body]).encode()


ORDER = Mail(
    "bounce@acme.example",
    "jane@example.org",
    (
        "From: Acme Orders <orders@acme.example>",
        "To: Jane Doe <jane@example.org>",
        "Subject: Your order 1042 has shipped",
        "Date: Mon, 05 Jan 2026 09:30:00 +0100",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "X-Mailer: acme-shop 3.1",
        "X-Internal-Host: db7.intranet.acme.example",
    ),
)

NEWS = Mail(
    "bounce@acme.example",
    "jane@example.org",
    (
        "From: Acme Shop <hello@news.shop.example>",
        "To: jane@example.org",
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_from_the_shop?=",
        "Date: Mon, 05 Jan 2026 09:31:00 +0100",
        "Message-ID: <news-17@shop.example>",
        "Feedback-ID: 17:news:acme",
        "X-Tags: newsletter, january",
        "X-List-Unsubscribe: <https://shop.example/unsubscribe/8f3a>,\r\n <mailto:leave@shop.example>",
    ),
)

STOLEN = Mail(
    "bounce@acme.example",
    "jane@example.org",
    ("From: Bank <ceo@bank.example>", "To: jane@example.org", "Subject: Your account"),
)

WORDLESS = Mail(
    "bounce@acme.example",
    "jane@example.org",
    ("From: orders@acme.example", "To: jane@example.org", "Reply-To: help@acme.example"),
)

FAULTY = Mail(
    "bounce@acme.example",
    "jane@example.org",
    (
        "From: ceo@bank.example",
        "Subject: =?utf-8?q?=20?=",
        "X-Tags: 1, 2, 3, 4, 5, 6",
        "X-List-Unsubscribe: https://shop.example/u",
    ),
)

SHORT = Mail(
    "bounce@acme.example",
    "jane@example.org",
    ("From: orders@acme.example", "To: jane@example.org", "Subject: One of many"),
)

TRIAL = Mail(
    "app@trial.example",
    "jane@example.org",
    ("From: app@trial.example", "To: jane@example.org", "Subject: Trying it out"),
)
