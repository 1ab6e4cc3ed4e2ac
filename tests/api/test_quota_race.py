"""Five hundred calls at the same moment into two servers. All of it, twenty times over, is in tests/long."""

from tests.gateway import Gateway
from tests.racing import RACES, made_users, race
from tests.serving import running


def test_exactly_as_many_as_there_is_room_for(gateway: Gateway) -> None:
    kinds = ("requests", "tokens")
    users = made_users(gateway, [RACES[kind] for kind in kinds])
    other = Gateway(gateway.var_dir)
    with running(other):
        for kind, user in zip(kinds, users, strict=True):
            race([gateway, other], kind, user)
