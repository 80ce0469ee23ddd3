"""Go through the scenarios, print what happens, and compare the replies with what was expected."""

import difflib
import re
import time

from demo import paper
from demo.client import Client, Reply
from demo.mail import Mail
from demo.private_stack import PrivateStack
from demo.scenarios import ACCEPTED, SCENARIOS, Headers, Record, Scenario, Send, Start, Step, Stop

TRIES = 3
"""How often a message that was put off comes again: a connection takes five."""

PAUSE_SECONDS = 0.7
"""Between two of them; Franking looks once a second whether what was away is back."""


class Play:
    """The scenarios on one stack, and what is kept of them for the end."""

    def __init__(self, stack: PrivateStack) -> None:
        """Begin with nothing sent."""
        self._stack = stack
        self._mail: Mail | None = None
        self.accepted = ""
        """The queue ID of the last message that was accepted."""
        self.log_lines: list[str] = []
        """What Franking logged of the messages that matter."""
        self.surprises: list[str] = []
        """The titles of the scenarios that had another reply than expected."""

    def all(self) -> None:
        """Go through every scenario."""
        for number, scenario in enumerate(SCENARIOS, 1):
            paper.heading(f"{number}  {scenario.title}")
            paper.paragraph(scenario.about)
            self._scenario(scenario)

    def _scenario(self, scenario: Scenario) -> None:
        self._mail = None
        with Client(self._stack.endpoint, scenario.login) as client:
            for step in scenario.steps:
                self._step(step, scenario, client)

    def _step(self, step: Step, scenario: Scenario, client: Client) -> None:
        match step:
            case Send(mail, expected):
                self._send(mail, expected, scenario, client)
            case Headers(mail):
                self._headers(mail)
            case Record():
                paper.row("record", f"$ franking message show {self.accepted}", paper.BOLD)
                paper.row("", self._stack.record(self.accepted).rstrip())
            case Stop(service):
                self._stack.stop(service)
                paper.row("stopped", service)
            case Start(service):
                self._stack.start(service)
                paper.row("started", service)

    def _send(self, mail: Mail, expected: str, scenario: Scenario, client: Client) -> None:
        again = mail is self._mail
        self._mail = mail
        if not again:
            paper.row("sent", in_a_line(mail, scenario.login))
        reply = client.submit(mail)
        for _ in range(TRIES if again and expected == ACCEPTED else 0):
            if reply.code == 451:
                time.sleep(PAUSE_SECONDS)
                reply = client.submit(mail)
        paper.row("again" if again else "reply", str(reply), paper.reply_colour(reply.code))
        if not str(reply).startswith(expected):
            paper.row("EXPECTED", f"{expected}...", paper.RED)
            self.surprises.append(scenario.title)
        self._look_up(reply, scenario)

    def _look_up(self, reply: Reply, scenario: Scenario) -> None:
        """Find the log line of a message, and the lines of the policy it names."""
        # At MAIL there is no ID yet; the line of this login's last transaction is the one.
        line = self._stack.log_line(reply.queue_id or f"login={scenario.login} ")
        if reply.code == 250:
            self.accepted = reply.queue_id
        else:
            self._because(line)
        # Of messages that were only repeated until something happened, one line is like the other.
        if reply.code != 250 or Record() in scenario.steps:
            self.log_lines.append(line)

    def _because(self, log_line: str) -> None:
        at = re.search(r" at=(\S+)", log_line)
        places = re.findall(r"([^,]+\.yaml):(\d+):(\d+)", at[1]) if at else []
        said = []
        for file, line, column in places:
            text = (self._stack.policy / file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
            said.append(f"{file}:{line}:{column}   {text.partition('  #')[0].strip()}")
        if said:
            paper.row("because", "\n".join(said))

    def _headers(self, mail: Mail) -> None:
        header, _, _ = self._stack.delivered(self.accepted).partition("\n\n")
        _received, *after = re.split(r"\n(?![ \t])", header)
        before = [field.replace("\r\n", "\n") for field in mail.fields]
        fields = difflib.unified_diff(before, after, n=len(before), lineterm="")
        # The third line tells line numbers, and there is but one hunk.
        lines = ["--- as sent", "+++ as delivered, below the Received field of Postfix's own", *list(fields)[3:]]
        paper.row("headers", "before and after")
        paper.diff([line.replace("\n", f"\n{line[0]}") for line in lines])


def in_a_line(mail: Mail, login: str) -> str:
    """Say what a message is: who sends it, and the fields that matter for what becomes of it."""
    fields = {field.partition(":")[0]: field.replace("\r\n", "") for field in mail.fields}
    author = [fields.get(name, f"no {name}") for name in ("From", "To", "Subject")]
    control = [fields[name] for name in ("X-Tags", "X-List-Unsubscribe") if name in fields]
    return f"as {login} | {' | '.join([*author, *control])}"
