"""Providers' front doors: what an application written for one of them sends, through Postfix, to its end."""

import hashlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
import redis
from stack import sink

from complaints import complaints
from franking.setup import fragments
from servers import free_port

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "contrib" / "profiles").glob("*.yaml"))

POLICY = """\
version: 1
accounts:
  space:
    profile: mailpace
    domains: [space.example]
    logins: {space-app: {}}
  sender:
    profile: mailersend
    domains: [sender.example]
    quotas: [{messages: 1000, per: day}]
    logins:
      MS_a1b2c3@sender.example: {}
      sender-later: {answer: {style: defer}}
  peter:
    profile: smtpeter
    domains: [peter.example]
    logins:
      peter-app: {options: {trackclicks: true, trackopens: true}}
  mark:
    profile: postmark
    domains: [mark.example]
    quotas: [{messages: 1000, per: day}]
    streams:
      broadcast: {endpoints: [broadcasts], recipients_per_message: 3, record_days: 7, headers: {drop: [Comments]}}
    logins:
      mark-app: {}
      mark-silent: {answer: {style: report}}
      mark-news: {stream: broadcast}
      mark-receipts: {stream: outbound}
  mark-new:
    profile: postmark
    status: pending
    domains: [new.example]
    logins: {mark-new: {}}
"""

TOKENS = {"ab12cd34-space-token": "space-app", "0f9e8d7c-6b5a-4321-8765-server+token=": "mark-app"}
"""API tokens, which are user name and password at once, and the login that each is."""

UNSUBSCRIBE = "<https://mark.example/u/1>"


@dataclass(frozen=True, slots=True)
class Doors:
    """A stack with a second endpoint and a second way out."""

    stack: Any
    broadcasts: int
    """The port of the second endpoint."""
    sink: Path
    """Where the second way out leads."""

    def send(self, message: EmailMessage, *, login: str, to: tuple[str, ...] = (), port: int = 0) -> Any:
        """Submit ``message`` and return the answer."""
        password = login if login in TOKENS else ""
        client = self.stack.client(login, port=port, password=password)
        recipients = list(to) or [a.addr_spec for name in ("To", "Cc") for a in getattr(message[name], "addresses", ())]
        return client.submit(message.as_bytes(policy=SMTP), message["From"].addresses[0].addr_spec, recipients)


def set_up_streams(stack: Any, config: str | Path) -> None:
    """Put the fragments for streams into force."""
    done = stack.franking("setup", "postfix", "--config-dir", str(config), "--with", "streams", "--yes")
    assert done.returncode == 0, done.stderr


def postconf(config: str, *arguments: str) -> None:
    """Change one Postfix."""
    subprocess.run(["postconf", "-c", config, *arguments], check=True)


@pytest.fixture(scope="module")
def shared_doors(stack_of: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Bring it all up: streams as shipped, but for ports, the chroot, where the outer world is, and a check before."""
    directory = Path(tmp_path_factory.mktemp("news"))
    for parent in (directory, *directory.parents[:2]):
        parent.chmod(0o755)
    directory.chmod(0o777)
    endpoint, out = free_port(), free_port()
    argv = ["smtp-sink", "-4", "-u", "nobody", "-h", "sink.example", "-d", "%Y%m%d%H%M%S.", f"127.0.0.1:{out}", "100"]
    with stack_of(POLICY) as stack, subprocess.Popen(argv, cwd=directory) as news:
        for example in EXAMPLES:
            shutil.copy(example, stack.directory / "policy")
        assert stack.franking("reload").returncode == 0
        config = stack.document["postfix"]["config"]
        (Path(config) / "theirs").write_text("/^X-Franking-Queue-ID:/ INFO theirs\n")
        postconf(config, "-e", "milter_header_checks=regexp:$config_directory/theirs")
        set_up_streams(stack, config)
        postconf(
            config, "-MX", "submission/inet", "submissions/inet", "2465/inet"
        )  # fixed ports, which others may have
        postconf(config, "-F", "2587/inet/chroot=n", "broadcast/unix/chroot=n")
        postconf(config, "-F", f"2587/inet/service=127.0.0.1:{endpoint}")
        postconf(config, "-e", f"default_filter_nexthop=[127.0.0.1]:{out}")
        milter = f"{{ unix:{stack.document['franking']['socket']}, default_action=tempfail }}"
        postconf(config, "-e", f"franking_milters={milter}")
        stack.stop("postfix")
        stack.start("postfix")
        tokens = ((hashlib.sha256(token.encode()).hexdigest(), login) for token, login in TOKENS.items())
        with (stack.directory / "dovecot" / "franking.tokens").open("a") as file:
            file.writelines(f"{digest}:{{SHA256.HEX}}{digest}::::::user={login}\n" for digest, login in tokens)
        yield Doors(stack, endpoint, directory)
        found = complaints(stack.logs)
        news.terminate()
    assert found == []


@pytest.fixture
def doors(shared_doors: Doors) -> Iterator[Doors]:
    """Return the shared stack, and close all connections afterwards."""
    yield shared_doors
    shared_doors.stack.hang_up()


def mail(author: str, to: str = "someone@example.org", **fields: str) -> EmailMessage:
    """Return a message as an application's library would build it."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = author, to, "Your receipt"
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content("Thank you.\n")
    message.add_alternative("<p>Thank you.</p>\n", subtype="html")
    return message


def test_mailpace_front_door(doors: Doors) -> None:
    """Token as user and password; tags and unsubscribe in fields of their own, and an ID that is the front door's."""
    message = mail(
        "Space <news@space.example>",
        X_MailPace_Tags="tag one, tag two, tag three",
        X_List_Unsubscribe="<https://space.example/u?id=1>, <mailto:list-request@space.example?subject=unsubscribe>",
        X_MailPace_Other="1",
        X_Campaign="spring",
        Message_ID="<1@space.example>",
    )
    answer = doors.send(message, login="ab12cd34-space-token")
    found, record = doors.stack.parsed(answer.queue_id), doors.stack.record(answer.queue_id)

    assert re.fullmatch(rf"<{answer.queue_id}\.[0-9a-f]{{16}}@space\.example>", found["Message-ID"])
    assert found.get_all("List-Unsubscribe") == [
        "<https://space.example/u?id=1>,\n <mailto:list-request@space.example?subject=unsubscribe>"
    ]
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [name for name in found if name.startswith("X-")] == ["X-Franking-Queue-ID"]
    assert (record["login"], record["tags"]) == ("space-app", ["tag one", "tag two", "tag three"])
    assert (record["message_id"], record["original_message_id"]) == (found["Message-ID"], "<1@space.example>")
    assert "ab12cd34" not in doors.stack.logs
    refused = doors.send(mail("a@shop.space.example"), login="ab12cd34-space-token")
    assert refused.lines[0] == "Verified domain does not match domain in From address of email"


def test_mailersend_front_door(doors: Doors) -> None:
    """A login a domain, five tags in quotes, a subdomain, no custom fields, five messages a connection."""
    login = "MS_a1b2c3@sender.example"
    message = mail(
        "Sender <a@shop.sender.example>",
        X_MailerSend_Tags='"tag 1, tag 2, tag 3"',
        X_Custom="1",
        In_Reply_To="<0@example.org>",
        Message_ID="<1@sender.example>",
    )
    answer = doors.send(message, login=login)
    found, record = doors.stack.parsed(answer.queue_id), doors.stack.record(answer.queue_id)

    assert record["tags"] == ["tag 1", "tag 2", "tag 3"]
    assert (found["Message-ID"], found["In-Reply-To"]) == ("<1@sender.example>", "<0@example.org>")
    assert [name for name in found if name.startswith("X-")] == ["X-Franking-Queue-ID"]
    assert record["removed"] == ["X-MailerSend-Tags", "X-Custom"]
    foreign = doors.send(mail("a@evil.example", X_MailerSend_Tags="1,2,3,4,5,6"), login=login)
    assert (foreign.code, foreign.lines[0]) == (
        550,
        "The from.email domain must be verified in your account to send emails.",
    )
    assert any("6 tags: 5 is the most" in line for line in foreign.lines)
    client = doors.stack.client(login)
    octets = mail("a@sender.example").as_bytes(policy=SMTP)
    codes = [client.submit(octets, "a@sender.example", ["a@example.org"]).code for _ in range(6)]
    assert codes == [250] * 5 + [421]


def test_smtpeter_front_door(doors: Doors) -> None:
    """Options of the login, overridden by fields that leave; all other fields stay."""
    message = mail(
        "Peter <a@peter.example>",
        x_smtpeter_trackclicks="false",
        x_smtpeter_inlinecss="true",
        x_smtpeter_tags="welcome,trial",
        x_smtpeter_clicktracking="true",
        X_Campaign="spring",
        Message_ID="<1@peter.example>",
    )
    answer = doors.send(message, login="peter-app")
    found, record = doors.stack.parsed(answer.queue_id), doors.stack.record(answer.queue_id)

    assert record["options"] == {"inlinecss": "true", "trackclicks": "false", "trackopens": "true"}
    assert record["tags"] == ["welcome", "trial"]
    assert [name for name in found if "smtpeter" in name.lower()] == []
    assert (found["X-Campaign"], found["Message-ID"]) == ("spring", "<1@peter.example>")
    assert doors.send(mail("a@peter.example", x_smtpeter_tags="two words"), login="peter-app").code == 550


def test_postmark_front_door(doors: Doors) -> None:
    """Server token as user and password; tag, metadata, stream and options in fields that leave."""
    message = mail(
        "Mark <a@mark.example>",
        X_PM_Tag="receipts, monthly",
        X_PM_Metadata_color="blue",
        X_PM_Metadata_Client_ID="12345",
        X_PM_MESSAGE_STREAM="outbound",
        X_PM_TrackOpens="true",
        X_PM_TrackLinks="HtmlOnly",
        X_PM_RCPT="|forged|",
        X_Campaign="spring",
        Message_ID="<1@mark.example>",
    )
    answer = doors.send(message, login="0f9e8d7c-6b5a-4321-8765-server+token=")
    found, record = doors.stack.parsed(answer.queue_id), doors.stack.record(answer.queue_id)

    assert (record["login"], record["stream"], record["tags"]) == ("mark-app", "outbound", ["receipts, monthly"])
    assert record["metadata"] == {"color": "blue", "Client-ID": "12345"}
    assert record["options"] == {"track_opens": "true", "track_links": "HtmlOnly"}
    assert [name for name in found if name.lower().startswith("x-pm-")] == []
    assert (found["X-Campaign"], found["X-Franking-Stream"]) == ("spring", "outbound; type=transactional")
    assert found["Message-ID"] == record["message_id"] != record["original_message_id"] == "<1@mark.example>"
    assert "0f9e8d7c" not in doors.stack.logs
    unknown = doors.send(mail("a@mark.example", X_PM_Message_Stream="newz"), login="mark-app")
    assert unknown.lines[0] == "The stream provided: 'newz' does not exist on this server."


Pairs = list[tuple[str, str]]


@pytest.mark.parametrize(
    ("login", "fields", "stored", "refused"),
    [
        (
            "sendgrid-app",
            [("X-SMTPAPI", '{"category": ["welcome", "trial"], "unique_args": {"order": "4711"}}')],
            {"tags": ["welcome", "trial"], "metadata": {"order": "4711"}, "stream": ""},
            ("X-SMTPAPI", '{"to": ["another@example.org"]}'),
        ),
        (
            "mailgun-app",
            [
                ("X-Mailgun-Tag", "welcome"),
                ("X-Mailgun-Tag", "trial"),
                ("X-Mailgun-Variables", '{"order": "4711"}'),
                ("X-Mailgun-Track-Clicks", "htmlonly"),
            ],
            {"tags": ["welcome", "trial"], "metadata": {"order": "4711"}, "options": {"track_clicks": "htmlonly"}},
            ("X-Mailgun-Deliver-By", "Fri, 20 Nov 2026 23:10:10 +0000"),
        ),
        (
            "ses-app",
            [("X-SES-MESSAGE-TAGS", "campaign=spring, region=north"), ("X-SES-CONFIGURATION-SET", "receipts")],
            {"tags": [], "metadata": {"campaign": "spring", "region": "north"}, "stream": "receipts"},
            ("X-SES-CONFIGURATION-SET", "receipt"),
        ),
    ],
    ids=["sendgrid", "mailgun", "ses"],
)
def test_front_doors_that_a_policy_writes_itself(
    doors: Doors, login: str, fields: Pairs, stored: dict[str, Any], refused: tuple[str, str]
) -> None:
    """The examples in contrib/profiles as they are: what can be done is stored and stripped, all else refused."""
    author = f"Shop <shop@{login.removesuffix('-app')}-user.example>"
    message, faulty = mail(author, X_Campaign="spring"), mail(author)
    for name, value in fields:
        message[name] = value
    faulty[refused[0]] = refused[1]
    answer = doors.send(message, login=login)
    found, record = doors.stack.parsed(answer.queue_id), doors.stack.record(answer.queue_id)
    told = doors.send(faulty, login=login)

    assert {key: record[key] for key in stored} == stored
    assert not {name for name, _ in fields} & {*found.keys()}
    assert found["X-Campaign"] == "spring"
    assert told.code == 550
    assert told.lines[0].startswith(f"{refused[0]} ")


@pytest.mark.parametrize(
    ("login", "sender", "limit"),
    [
        ("space-app", "a@space.example", 52_428_800),
        ("MS_a1b2c3@sender.example", "a@sender.example", 44_040_192),
        ("mark-app", "a@mark.example", 10_485_760),
    ],
    ids=["mailpace", "mailersend", "postmark"],
)
def test_size_is_refused_at_mail(doors: Doors, login: str, sender: str, limit: int) -> None:
    """552 5.3.4 before a single octet of it was sent; one octet less may be sent."""
    client = doors.stack.client(login)
    above = client.smtp.mail(sender, [f"SIZE={limit + 1}"])
    within = client.smtp.mail(sender, [f"SIZE={limit}"])

    assert above[0] == 552
    assert above[1].startswith(f"5.3.4 the message has {limit + 1} octets".encode())
    assert within[0] == 250


def test_size_that_is_not_announced_is_refused_at_the_end(doors: Doors) -> None:
    """552 5.3.4 as well; the largest message that fits passes."""
    client = doors.stack.client("mark-app")
    limit = 10_485_760
    message = mail("a@mark.example").as_bytes(policy=SMTP)
    line = b"x" * 70 + b"\r\n"
    padding = line * ((limit - len(message)) // len(line))
    at_the_end = client.submit(message + padding + line * 2, "a@mark.example", ["a@example.org"])
    passed = client.submit(message + padding, "a@mark.example", ["a@example.org"])

    assert (at_the_end.code, at_the_end.text[:6]) == (552, "5.3.4 ")
    assert doors.stack.record(passed.queue_id)["size"] <= limit


def explained(doors: Doors, login: str, sender: str, recipients: list[str], file: Path) -> Any:
    """Return what `franking explain` says of a message to all of them."""
    file.write_bytes(mail(sender).as_bytes(policy=SMTP))
    to = [word for recipient in recipients for word in ("--recipient", recipient)]
    done = doors.stack.franking("explain", "--json", "--login", login, "--sender", sender, *to, str(file))
    assert done.stderr == ""
    return json.loads(done.stdout)


def as_explained(answers: dict[str, tuple[int, bytes]]) -> dict[str, list[str]]:
    """Return the answers to recipients that were refused, line by line."""
    return {who: [str(code), *text.decode().split("\n")] for who, (code, text) in answers.items() if code != 250}


def refused_by(said: Any) -> dict[str, list[str]]:
    """Return likewise what `franking explain` says."""
    refused = said["refused_recipients"].items()
    return {
        who: [str(reply["code"]), *(f"{reply['status']} {line}" for line in reply["lines"])] for who, reply in refused
    }


def test_the_51st_recipient_is_put_off(doors: Doors, tmp_path: Path) -> None:
    """452 4.5.3 for it and all that follow, however many; the first 50 get the message, the others can with another."""
    client = doors.stack.client("mark-receipts")
    client.smtp.mail("a@mark.example")
    answers = [client.smtp.rcpt(f"r{n}@example.org") for n in range(200)]
    code, text = client.smtp.data(mail("a@mark.example").as_bytes(policy=SMTP))
    queue_id = text.decode().rpartition(" ")[2]

    assert [code for code, _ in answers] == [250] * 50 + [452] * 150
    assert answers[-1][1] == b"4.5.3 50 recipients are the most of one message: send to the others with another"
    assert code == 250
    assert doors.stack.delivered(queue_id)
    assert doors.stack.record(queue_id)["recipients"] == [f"r{n}@example.org" for n in range(50)]
    (line,) = doors.stack.log(f"{queue_id}: ")
    assert " nrcpt=50 nrcpt_refused=150 " in line
    all_of_them = {f"r{n}@example.org": answer for n, answer in enumerate(answers)}
    said = explained(doors, "mark-receipts", "a@mark.example", list(all_of_them), tmp_path / "m.eml")
    assert refused_by(said) == as_explained(all_of_them)
    assert (said["verdict"], len(said["record"]["recipients"])) == ("accept", 50)
    assert (
        client.submit(mail("a@mark.example").as_bytes(policy=SMTP), "a@mark.example", ["r51@example.org"]).code == 250
    )


def test_a_discarded_message_is_told_250(doors: Doors) -> None:
    """As Postmark would; it is charged, nobody gets it, the record says why under the queue ID that is told."""
    client = doors.stack.client("mark-silent")
    octets = mail("a@evil.example", X_PM_Message_Stream="newz").as_bytes(policy=SMTP)
    used = charged(doors, "mark")
    answer = client.submit(octets, "a@evil.example", ["someone@example.org"])
    record = doors.stack.record(answer.queue_id)

    assert (answer.code, record["verdict"], record["event"]) == (250, "discarded", "SMTPApiError")
    assert [text.partition(":")[0] for text in record["refused"]] == ["from_domain", "stream"]
    assert "The 'From' address you supplied (a@evil.example) is not a Sender Signature" in record["refused"][0]
    (line,) = doors.stack.log(f"{answer.queue_id}: ")
    assert " event=SMTPApiError check=from_domain,stream at=" in line
    assert charged(doors, "mark") == used + 1
    shown = doors.stack.franking("message", "show", answer.queue_id).stdout
    assert "discarded   SMTPApiError: from_domain: The 'From' address" in shown
    after = client.submit(mail("a@mark.example").as_bytes(policy=SMTP), "a@mark.example", ["someone@example.org"])
    assert doors.stack.delivered(after.queue_id)
    log = Path(doors.stack.document["logs"]["postfix"]).read_text()
    assert f"{answer.queue_id}: milter-discard: END-OF-MESSAGE" in log
    assert f"{answer.queue_id}: removed\n" not in log
    assert [sink.find(sunk(doors), answer.queue_id), sink.find(doors.sink, answer.queue_id)] == [None, None]


def test_recipients_one_by_one_are_several_messages(doors: Doors) -> None:
    """Each has an ID, a record and a place in the quota of its own."""
    used, message = charged(doors, "mark"), mail("a@mark.example")
    answers = [doors.send(message, login="mark-app", to=(to,)) for to in ("a@example.org", "b@example.org")]
    records = [doors.stack.record(answer.queue_id) for answer in answers]

    assert [record["recipients"] for record in records] == [["a@example.org"], ["b@example.org"]]
    assert len({record["message_id"] for record in records}) == 2
    assert charged(doors, "mark") == used + 2


def charged(doors: Doors, account: str) -> int:
    """Return how many messages the account's one quota has counted."""
    with redis.Redis(unix_socket_path=doors.stack.document["redis"]["url"].removeprefix("unix://")) as client:
        return sum(int(client.hget(key, "used") or 0) for key in client.scan_iter(f"franking:v1:{{{account}}}:quota:*"))


def sunk(doors: Doors) -> Path:
    """Return where the first way out leads."""
    return Path(doors.stack.document["sink"]["directory"])


def test_a_deferred_message_is_told_all_on_one_line(doors: Doors) -> None:
    """As MailerSend does: 450, and the faults joined by commas."""
    answer = doors.send(mail("a@evil.example", Reply_To="nonsense"), login="sender-later")

    assert answer.code == 450
    assert answer.text == (
        "4.7.1 The given data was invalid. The from.email domain must be verified in your account to send emails.,"
        "The reply_to.email must be a valid email address."
    )


def test_an_endpoint_gives_the_stream(doors: Doors) -> None:
    """A second smtpd with a name of its own; a login that is bound to another stream is turned away at MAIL."""
    message = mail("a@mark.example", List_Unsubscribe=UNSUBSCRIBE)
    answer = doors.send(message, login="mark-app", port=doors.broadcasts)
    named = doors.send(mail("a@mark.example", X_PM_Message_Stream="outbound"), login="mark-app", port=doors.broadcasts)
    bound = doors.send(message, login="mark-receipts", port=doors.broadcasts)

    assert doors.stack.record(answer.queue_id)["stream"] == "broadcast"
    assert named.code == 550
    assert named.lines[0].startswith("X-PM-Message-Stream says outbound, and the endpoint is bound to stream broadcast")
    assert (bound.code, bound.lines[0][:38]) == (550, "this endpoint is for stream broadcast,")


def test_streams_leave_by_their_own_route(doors: Doors) -> None:
    """By what is stamped, whoever chose it: endpoint, login or the message; a forged stamp changes nothing.

    The site's own checks of milters' fields, which main.cf has, look at the message too.
    """
    receipt = doors.send(mail("a@mark.example", X_Franking_Stream="broadcast; type=broadcast"), login="mark-app")
    news = mail("a@mark.example", List_Unsubscribe=UNSUBSCRIBE)
    by_endpoint = doors.send(news, login="mark-app", port=doors.broadcasts)
    by_login = doors.send(news, login="mark-news")
    news["X-PM-Message-Stream"] = "broadcast"
    by_field = doors.send(news, login="mark-app")
    ways = {answer.queue_id: way(doors, answer.queue_id) for answer in (receipt, by_endpoint, by_login, by_field)}

    assert list(ways.values()) == ["smtp", "broadcast/smtp", "broadcast/smtp", "broadcast/smtp"]
    assert doors.stack.parsed(receipt.queue_id).get_all("X-Franking-Stream") == ["outbound; type=transactional"]
    for answer in (by_endpoint, by_login, by_field):
        delivered = sink.find(doors.sink, answer.queue_id)
        assert delivered is not None
        assert b"\nX-Franking-Stream: broadcast; type=broadcast\n" in delivered
        assert sink.find(sunk(doors), answer.queue_id) is None
        assert f"{answer.queue_id}: milter-header-info: header X-Franking-Queue-ID: " in doors.stack.logs


def way(doors: Doors, queue_id: str) -> str:
    """Return by which transport a message left, as Postfix's log has it."""
    log, deadline = Path(doors.stack.document["logs"]["postfix"]), time.monotonic() + 60
    while f": {queue_id}: removed\n" not in log.read_text():
        assert time.monotonic() < deadline, queue_id
        time.sleep(0.05)
    (found,) = set(re.findall(rf"postfix/(\S+)\[\d+\]: {queue_id}: to=", log.read_text()))
    return str(found)


@pytest.fixture
def unstamped(doors: Doors) -> Iterator[Doors]:
    """Take the stamp off by the shipped table, for one transport alone."""
    config = doors.stack.document["postfix"]["config"]
    postconf(config, "-P", "broadcast/unix/smtp_header_checks=regexp:$config_directory/franking_unstamp")
    subprocess.run(["postfix", "-c", config, "reload"], check=True, capture_output=True)
    yield doors
    postconf(config, "-PX", "broadcast/unix/smtp_header_checks")
    subprocess.run(["postfix", "-c", config, "reload"], check=True, capture_output=True)


def test_the_stamp_can_be_taken_off_on_the_way_out(unstamped: Doors) -> None:
    """The other stamp stays."""
    answer = unstamped.send(mail("a@mark.example", List_Unsubscribe=UNSUBSCRIBE), login="mark-news")
    way(unstamped, answer.queue_id)
    delivered = sink.find(unstamped.sink, answer.queue_id)

    assert delivered is not None
    assert b"\nX-Franking-Queue-ID: " in delivered
    assert b"X-Franking-Stream" not in delivered


def test_a_pending_account_writes_to_its_own_domains_alone(doors: Doors, tmp_path: Path) -> None:
    """550 at RCPT for the others, and the message goes to those that are left."""
    client = doors.stack.client("mark-new")
    client.smtp.mail("a@new.example")
    recipients = ["a@new.example", "b@example.org", "c@NEW.example"]
    answers = [client.smtp.rcpt(recipient) for recipient in recipients]
    code, text = client.smtp.data(mail("a@new.example").as_bytes(policy=SMTP))
    queue_id = text.decode().rpartition(" ")[2]
    nobody = client.submit(mail("a@new.example").as_bytes(policy=SMTP), "a@new.example", ["b@example.org"])

    assert [code for code, _ in answers] == [250, 550, 250]
    assert answers[1][1].startswith(b"5.7.1 recipient `b@example.org` is in no verified domain of account mark-new, ")
    assert code == 250
    assert doors.stack.record(queue_id)["recipients"] == ["a@new.example", "c@NEW.example"]
    assert doors.stack.delivered(queue_id)
    assert nobody.code == 550
    said = explained(doors, "mark-new", "a@new.example", recipients, tmp_path / "m.eml")
    assert refused_by(said) == as_explained(dict(zip(recipients, answers, strict=True)))
    assert (said["verdict"], said["record"]["recipients"]) == ("accept", ["a@new.example", "c@NEW.example"])
    said = explained(doors, "mark-new", "a@new.example", ["b@example.org"], tmp_path / "m.eml")
    assert (said["verdict"], said["reply"]["code"], said["reply"]["lines"]) == ("refuse", 550, nobody.lines)
    assert [refusal["check"] for refusal in said["refusals"]] == ["recipients"]


def test_a_message_is_found_by_any_id_it_ever_had(doors: Doors) -> None:
    """The client's own, kept or replaced, and the one that it left with."""
    replaced = doors.send(mail("a@mark.example", Message_ID="<replaced@mark.example>"), login="mark-app")
    kept = doors.send(mail("a@mark.example", Message_ID="<kept@mark.example>", X_PM_KeepID="true"), login="mark-app")
    left_with = doors.stack.parsed(replaced.queue_id)["Message-ID"]

    assert doors.stack.parsed(kept.queue_id).get_all("Message-ID") == ["<kept@mark.example>"]
    for answer, names in (
        (replaced, ("<replaced@mark.example>", left_with, left_with.strip("<>"))),
        (kept, ("<kept@mark.example>", "kept@mark.example")),
    ):
        for name in names:
            assert doors.stack.record(name)["queue_id"] == answer.queue_id


def test_each_stream_has_settings_of_its_own(doors: Doors) -> None:
    """How many recipients, which fields stay, whether there must be a List-Unsubscribe."""
    news = mail("a@mark.example", List_Unsubscribe=UNSUBSCRIBE, Comments="1")
    many = ("a@example.org", "b@example.org", "c@example.org", "d@example.org")
    too_many = doors.send(news, login="mark-news", to=many)
    three = doors.send(news, login="mark-news", to=many[:3])
    four = doors.send(mail("a@mark.example", Comments="1"), login="mark-receipts", to=many)
    without = doors.send(mail("a@mark.example"), login="mark-news")
    way(doors, three.queue_id)

    assert (too_many.code, too_many.text[:5]) == (452, "4.5.3")
    assert b"\nComments: " not in (sink.find(doors.sink, three.queue_id) or b"\nComments: ")
    assert doors.stack.parsed(four.queue_id)["Comments"] == "1"
    assert without.lines[0] == "no List-Unsubscribe field: a broadcast message must have one (RFC 2369, 3.2)"


def test_fragments_are_applied_once(doors: Doors, tmp_path: Path) -> None:
    """Applied again they change nothing, not even a table that the site has changed."""
    config = tmp_path / "etc"
    shutil.copytree(doors.stack.document["postfix"]["config"], config)
    postconf(str(config), "-F", f"127.0.0.1:{doors.broadcasts}/inet/service=2587")
    table = config / "franking_streams"
    table.write_text(table.read_text() + "# the site's own line\n")
    set_up_streams(doors.stack, config)
    before = {file.name: file.read_text() for file in config.iterdir() if file.is_file()}
    set_up_streams(doors.stack, config)
    after = {file.name: file.read_text() for file in config.iterdir() if file.is_file()}

    assert after == before
    assert "# the site's own line" in after["franking_streams"]


def test_all_endpoints_have_the_same_options() -> None:
    """But for their names and the way TLS begins; what holds at one must hold at the others."""
    own = {"syslog_name", "milter_macro_daemon_name", "smtpd_tls_wrappermode"}
    services = [one for name in (".", *fragments.names()) for one in fragments.fragment(name).services]
    endpoints = [one for one in services if one.line.endswith(" smtpd")]
    shared = [{name: value for name, value in one.options.items() if name not in own} for one in endpoints]

    assert len(endpoints) == 6
    assert all(options == shared[0] for options in shared)
