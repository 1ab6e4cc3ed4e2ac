"""All URLs: the site lane's, and the gateway lane's for whoever looks routes up."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from accounts.api.auth import BrowserTokenView, PairView, RefreshView, RevokeView
from accounts.api.quotas import QuotaDetail, QuotaList
from accounts.api.tokens import TokenDetail, TokenList, TokenRotation
from accounts.api.usage import StandingView, UsageView
from providers.api.kept import KeptAnswerView
from providers.api.providers import ProviderDetail, ProviderHealth, ProviderList, ProviderTest
from proxyproject.pages import account, signing, tokens
from proxyproject.pages.problems import bad_request, forbidden, not_found, server_error
from proxyproject.pages.start import start
from proxyproject.pages.usage import usage_page
from proxyproject.schema import DocsView, SchemaView

urlpatterns = [
    path("", include("proxyproject.gateway_urls")),
    path("", start, name="start"),
    path("login", signing.SignIn.as_view(), name="login"),
    path("logout", signing.SignOut.as_view(), name="logout"),
    path("password", signing.PasswordChange.as_view(), name="password-change"),
    path("password/reset", signing.PasswordReset.as_view(), name="password-reset"),
    path("password/reset/sent", signing.PasswordResetSent.as_view(), name="password-reset-sent"),
    path("password/reset/<uidb64>/<token>", signing.PasswordResetConfirm.as_view(), name="password-reset-confirm"),
    path("signup", signing.SignUp.as_view(), name="signup"),
    path("account", account.AccountPage.as_view(), name="account"),
    path("account/sign-ins/end", account.end_others, name="sign-ins-end"),
    path("account/sign-ins/<int:id>/end", account.end_one, name="sign-in-end"),
    path("usage", usage_page, name="usage-page"),
    path("tokens", tokens.tokens, name="tokens"),
    path("tokens/<int:id>/rotate", tokens.rotate, name="tokens-rotate"),
    path("tokens/<int:id>/revoke", tokens.revoke, name="tokens-revoke"),
    path("admin/login/", signing.AdminSignIn.as_view()),
    path("admin/logout/", signing.SignOut.as_view()),
    path("admin/password_change/", RedirectView.as_view(pattern_name="password-change")),
    path("admin/", admin.site.urls),
    path("api/providers", ProviderList.as_view(), name="provider-list"),
    path("api/providers/<str:name>", ProviderDetail.as_view(), name="provider-detail"),
    path("api/providers/<str:name>/health", ProviderHealth.as_view(), name="provider-health"),
    path("api/providers/<str:name>/test", ProviderTest.as_view(), name="provider-test"),
    path("api/calls/<str:call_id>/answer", KeptAnswerView.as_view(), name="kept-answer"),
    path("api/usage", UsageView.as_view(), name="usage"),
    path("api/auth/token", PairView.as_view(), name="jwt"),
    path("api/auth/token/refresh", RefreshView.as_view(), name="jwt-refresh"),
    path("api/auth/token/revoke", RevokeView.as_view(), name="jwt-revoke"),
    path("api/auth/browser-token", BrowserTokenView.as_view(), name="browser-token"),
    path("api/tokens", TokenList.as_view(), name="token-list"),
    path("api/tokens/<int:id>", TokenDetail.as_view(), name="token-detail"),
    path("api/tokens/<int:id>/rotate", TokenRotation.as_view(), name="token-rotation"),
    path("api/quota", StandingView.as_view(), name="quota"),
    path("api/quotas", QuotaList.as_view(), name="quota-list"),
    path("api/quotas/<int:id>", QuotaDetail.as_view(), name="quota-detail"),
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", DocsView.as_view(url_name="schema"), name="docs"),
]
handler400 = bad_request
handler403 = forbidden
handler404 = not_found
handler500 = server_error
