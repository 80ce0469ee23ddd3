"""What is shown, in order: each scenario is a connection of its own and a few steps on it."""

from dataclasses import dataclass

from demo.mail import FAULTY, NEWS, ORDER, SHORT, STOLEN, TRIAL, WORDLESS, Mail

ACCEPTED = "250 2.0.0 Ok: queued as "


@dataclass(frozen=True, slots=True)
class Send:
    """Submit a message; the reply must begin as expected."""

    mail: Mail
    expected: str


@dataclass(frozen=True, slots=True)
class Headers:
    """Show the header section of the message just accepted, before and after."""

    mail: Mail


@dataclass(frozen=True, slots=True)
class Record:
    """Show what is stored of the message just accepted."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Take a service away."""

    service: str


@dataclass(frozen=True, slots=True)
class Start:
    """Bring a service back."""

    service: str


Step = Send | Headers | Record | Stop | Start


@dataclass(frozen=True, slots=True)
class Scenario:
    """A few steps that show one thing."""

    title: str
    about: str
    login: str
    steps: tuple[Step, ...]


SCENARIOS = (
    Scenario(
        "A message as it should be",
        "Fields that are on no list go, what is missing is added, and the queue ID that the client was told is "
        "stamped: support finds the message by it.",
        "acme-app",
        (Send(ORDER, ACCEPTED), Headers(ORDER), Record()),
    ),
    Scenario(
        "A newsletter with control headers",
        "X-Tags goes into the record; X-List-Unsubscribe becomes the real field, and promises one click "
        "(RFC 8058). This login's policy keeps Feedback-ID.",
        "acme-news",
        (Send(NEWS, ACCEPTED), Headers(NEWS), Record()),
    ),
    Scenario(
        "Somebody else's address in From",
        "The login belongs to acme; bank.example does not.",
        "acme-app",
        (Send(STOLEN, "550-5.7.1 From address ceo@bank.example is in no verified domain"),),
    ),
    Scenario(
        "No subject",
        "The reply says what to do, and a reference that finds the line in the log.",
        "acme-app",
        (Send(WORDLESS, "550-5.6.0 no Subject field"),),
    ),
    Scenario(
        "Several faults at once",
        "All are told in one reply: a developer mends them in one go.",
        "acme-app",
        (Send(FAULTY, "550-5.7.1 From address ceo@bank.example is in no verified domain"),),
    ),
    Scenario(
        "Six messages on one connection",
        "The policy allows five; Postfix answers the sixth MAIL with 421 and hangs up.",
        "acme-app",
        (*[Send(SHORT, ACCEPTED)] * 5, Send(SHORT, "421 4.7.0 5 messages were sent on this connection")),
    ),
    Scenario(
        "Over quota",
        "Two messages a day for the account trial, in its own time zone, counted in Redis for all hosts together.",
        "trial-app",
        (*[Send(TRIAL, ACCEPTED)] * 2, Send(TRIAL, "451 4.7.1 account trial has used 2 of 2 messages a day; resets")),
    ),
    Scenario(
        "Redis goes away",
        "Nothing passes unmetered and nothing is lost: the client keeps the message and comes again.",
        "acme-app",
        (Stop("redis"), Send(SHORT, "451 4.3.0 accounting is out of reach"), Start("redis"), Send(SHORT, ACCEPTED)),
    ),
)
