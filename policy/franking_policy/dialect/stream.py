"""The stream of a message: what login and endpoint are bound to, or what the message names.

A login bound to a stream comes before the endpoint (`milter_macro_daemon_name` in Postfix's master.cf), and either
before a field of the message. Where they name different streams, the message is refused, unless `on_conflict` lets
the former override the latter, or an endpoint stand for all streams of one type. A login never yields: what it is
bound to may be what keeps its owner from the other streams.
"""

from franking_policy.dialect.fault import Fault
from franking_policy.message import Field, Message
from franking_policy.model import Account
from franking_policy.shown import shown


def at_endpoint(account: Account, endpoint: str) -> tuple[Account, Fault | None]:
    """Return ``account`` on the stream that a transaction at ``endpoint`` begins with, and what speaks against it."""
    named = account.endpoints.get(endpoint, "")
    if not named or named == account.stream:
        return account, None
    if not account.bound:
        return account.streams[named], None
    if account.stream_selection.on_conflict.value == "override" or _stands_for(named, account):
        return account, None
    text = (
        f"this endpoint is for stream {named}, and the login is bound to stream {account.stream}: "
        "use the login's own endpoint, or another login"
    )
    return account, Fault("conflict", text, "on_conflict", named)


def selectable(account: Account, endpoint: str) -> tuple[Account, ...]:
    """Return ``account``, as `at_endpoint` gave it, on every stream by which a message may go yet.

    What is judged before the header section is seen is judged by all of them.
    """
    if not account.stream_selection.headers.value:
        return (account,)
    sending = (view for view in account.streams.values() if view.stream_type != "inbound")
    return (account, *(view for view in sending if _may_name(account, endpoint, view)))


def _may_name(account: Account, endpoint: str, view: Account) -> bool:
    """Tell whether neither login nor endpoint keeps a message from naming the stream of ``view``."""
    if view.stream == account.stream:
        return True
    at = account.endpoints.get(endpoint, "")
    return not account.bound and (not at or _stands_for(at, view))


def _stands_for(stream: str, view: Account) -> bool:
    """Tell whether an endpoint of ``stream`` is one for the stream of ``view`` too."""
    same = view.streams[stream].stream_type == view.stream_type
    return same and view.stream_selection.on_conflict.value == "same_type"


def chosen(account: Account, message: Message) -> tuple[Account, Fault | None]:
    """Return ``account`` on the stream by which ``message`` goes, and what is wrong with its choice."""
    if account.bound and (fault := at_endpoint(account, message.endpoint)[1]):
        return account, fault  # which MAIL was not refused for, by the mode of the check
    fields = [
        field for name in account.stream_selection.headers.value for field in message.all(name) if field.text.strip()
    ]
    return _named(account, message, fields) if fields else _sending(account)


def _named(account: Account, message: Message, fields: list[Field]) -> tuple[Account, Fault | None]:
    """Return what `chosen` does where ``fields`` name the stream."""
    field, names = fields[0], {field.text.strip() for field in fields}
    if len(names) > 1:
        return account, Fault("conflict", f"{field.name} names {len(names)} streams: name one", "headers")
    name = names.pop()
    if name not in account.streams:
        return account, _unknown(field.name, name, account)
    if _may_name(account, message.endpoint, account.streams[name]):
        return _sending(account.streams[name])
    if account.stream_selection.on_conflict.value == "override":
        return _sending(account)
    return account, Fault("conflict", f"{field.name} says {name}, and {_held(account)}", "on_conflict", name)


def _held(account: Account) -> str:
    """Return what keeps a message from naming another stream, and what to do about it."""
    if account.bound:
        return f"the login is bound to stream {account.stream}: leave the field out"
    held = f"the endpoint is bound to stream {account.stream}"
    if account.stream_selection.on_conflict.value != "same_type":
        return f"{held}: leave the field out"
    kind = account.stream_type
    same = [name for name, view in account.streams.items() if view.stream_type == kind]
    return f"{held} and other {kind} streams: name one of {', '.join(same[:10])}"


def _sending(account: Account) -> tuple[Account, Fault | None]:
    if account.stream_type != "inbound":
        return account, None
    text = f"stream {account.stream} is for incoming mail: send by another"
    return account, Fault("inbound", text, seen=account.stream)


def _unknown(header: str, name: str, account: Account) -> Fault:
    known = [one for one, view in account.streams.items() if view.stream_type != "inbound"]
    instead = f"name one of {', '.join(known[:10])}" if known else "leave the field out"
    return Fault("unknown", f"{header} says {shown(name)}, and there is no such stream: {instead}", "headers", name)
