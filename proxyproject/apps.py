from django.apps import AppConfig


class ProxyProjectConfig(AppConfig):
    name = "proxyproject"

    def ready(self) -> None:
        from accounts import provider_names  # these need the apps
        from providers.models import Provider

        provider_names.come_from(lambda: Provider.objects.values_list("name", flat=True))
