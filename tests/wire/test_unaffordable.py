"""A message that costs more than a whole quota, of an account that is told of nothing else."""

from typing import Any

import pytest

POLICY = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    answer: {style: report}
    recipients_per_message: 50
    quotas: [{messages: 100, per: day}, {recipients: 2, per: day}]
    logins: {acme-app: {}}
"""
SOUND = (("From", b"a@acme.example"), ("To", b"all@acme.example"), ("Subject", b"Hello"))
FAULTY = SOUND[:2]


@pytest.mark.parametrize("fields", [SOUND, FAULTY])
def test_it_is_refused_and_leaves_nothing_behind(daemon: Any, redis_server: Any, fields: Any) -> None:
    """Told 250 and recorded, though it can be charged to nobody, it would fill Redis for as long as a login likes."""
    daemon.configure(POLICY)
    daemon.start()
    client = daemon.session()
    client.mail()
    for name in "abc":
        assert client.recipient(f"<{name}@example.org>")[0] == b"c"
    client.message(*fields)
    ((letter, reply),) = client.end()

    assert (letter, reply[:9]) == (b"y", b"550-5.7.1")
    assert b"can never pass" in reply
    assert (b"no Subject" in reply) == (fields is FAULTY)
    assert list(redis_server.client.scan_iter()) == []
