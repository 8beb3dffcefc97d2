from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from agents.api import Chat
from nextrade import auth, desk, pages
from nextrade.ops import dossier
from nextrade.ops.health import HealthJson, HealthPage, alive
from nextrade.ops.metrics import metrics

api: list[URLPattern | URLResolver] = [
    path("auth/token/", auth.ObtainToken.as_view(), name="auth-token"),
    path("auth/tokens/", auth.Tokens.as_view(), name="auth-tokens"),
    path("auth/tokens/<slug:token_id>/", auth.RevokeToken.as_view(), name="auth-token-revoke"),
    path("auth/logout/", auth.Logout.as_view(), name="auth-logout"),
    path("", include("agents.urls")),
    path("", include("orders.urls")),
    path("", include("compliance.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
]


handler400 = pages.bad_request
handler403 = pages.not_permitted
handler404 = pages.not_found
handler500 = pages.server_error


urlpatterns = [
    path("", desk.home, name="home"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(next_page="home"), name="logout"),
    path("parts/", desk.parts, name="parts"),
    path("say/", desk.say, name="say"),
    path("say/stream/", desk.DeskStream.as_view(), name="say-stream"),
    path("threads/<uuid:thread_id>/", desk.desk, name="thread"),
    path("threads/<uuid:thread_id>/parts/", desk.parts, name="thread-parts"),
    path("orders/<uuid:order_id>/cancel/", desk.cancel, name="desk-cancel"),
    path("api/v1/", include(api)),
    path("admin/second-factor/", pages.second_factor, name="second-factor"),
    path("admin/dossier/<uuid:order_id>/", admin.site.admin_view(dossier.download), name="order-dossier"),
    path("admin/", admin.site.urls),
    path("ht/", HealthPage.as_view(), name="ht"),
    path("ht/<slug:component>/", HealthPage.as_view(), name="ht-component"),
    path("health", HealthJson.as_view(), name="health"),
    path("health/live", alive),
    path("health/ready", HealthJson.as_view()),
    path("metrics", metrics, name="metrics"),
    path("chat", Chat.as_view()),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="schema")),
]
