from django.apps import AppConfig
from django.core.checks import Tags, register


class ProxyProjectConfig(AppConfig):
    name = "proxyproject"

    def ready(self) -> None:
        from accounts import provider_names  # these need the apps
        from providers.models import Provider
        from proxyproject.checks import mail_needs_a_host

        register(mail_needs_a_host, Tags.security, deploy=True)
        provider_names.come_from(lambda: Provider.objects.values_list("name", flat=True))
