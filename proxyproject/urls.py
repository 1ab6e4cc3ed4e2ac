"""All URLs: the site lane's, and the gateway lane's for whoever looks routes up."""

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.urls import include, path
from django.views.generic import TemplateView
from drf_spectacular.views import SpectacularSwaggerView

from accounts.api.quotas import QuotaDetail, QuotaList
from accounts.api.usage import StandingView, UsageView
from providers.api.kept import KeptAnswerView
from providers.api.providers import ProviderDetail, ProviderHealth, ProviderList, ProviderTest
from proxyproject.pages import bad_request, not_found, server_error
from proxyproject.schema import SchemaView

urlpatterns = [
    path("", include("proxyproject.gateway_urls")),
    path("", TemplateView.as_view(template_name="start.html"), name="start"),
    path("admin/", admin.site.urls),
    path("api/providers", ProviderList.as_view(), name="provider-list"),
    path("api/providers/<str:name>", ProviderDetail.as_view(), name="provider-detail"),
    path("api/providers/<str:name>/health", ProviderHealth.as_view(), name="provider-health"),
    path("api/providers/<str:name>/test", ProviderTest.as_view(), name="provider-test"),
    path("api/calls/<str:call_id>/answer", KeptAnswerView.as_view(), name="kept-answer"),
    path("api/usage", UsageView.as_view(), name="usage"),
    path("api/quota", StandingView.as_view(), name="quota"),
    path("api/quotas", QuotaList.as_view(), name="quota-list"),
    path("api/quotas/<int:id>", QuotaDetail.as_view(), name="quota-detail"),
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", login_required(SpectacularSwaggerView.as_view(url_name="schema")), name="docs"),
]
handler400 = bad_request
handler404 = not_found
handler500 = server_error
