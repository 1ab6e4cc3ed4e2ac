"""What `manage.py check --deploy` says of ours."""

import pytest
from django.core.checks import run_checks
from pytest_django import Settings


@pytest.mark.parametrize(
    ("mail_server", "any_host", "warned"),
    [("mail.example.com", True, True), ("mail.example.com", False, False), ("", True, False)],
)
def test_mail_with_links_to_any_host(settings: Settings, mail_server: str, any_host: bool, warned: bool) -> None:
    settings.EMAIL_HOST, settings.ANSWERS_TO_ANY_HOST = mail_server, any_host
    said = {message.id for message in run_checks(tags=["security"], include_deployment_checks=True)}
    assert ("gateway.W001" in said) is warned
