from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from accounts import revision, sign_ins  # these need the models

        revision.connect()
        sign_ins.connect()
