from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from agents.api import Chat
from compliance import desk_admin
from nextrade import auth, error_pages, oidc, pages, reference
from nextrade.desk import books, report, talk
from nextrade.ops import dossier, verification, weekly
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
    path("docs/", reference.page, name="docs"),
]


handler400 = error_pages.bad_request
handler403 = error_pages.not_permitted
handler404 = error_pages.not_found
handler500 = error_pages.server_error


urlpatterns = [
    path("", talk.home, name="home"),
    path("login/", pages.SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(next_page="home"), name="logout"),
    path("oidc/authenticate/", oidc.Begin.as_view(), name="oidc_authentication_init"),
    path("oidc/callback/", oidc.Callback.as_view(), name="oidc_authentication_callback"),
    path("side/", talk.side, name="side"),
    path("say/", talk.say, name="say"),
    path("say/stream/", talk.DeskStream.as_view(), name="say-stream"),
    path("threads/", talk.threads, name="threads"),
    path("threads/<uuid:thread_id>/", talk.desk, name="thread"),
    path("threads/<uuid:thread_id>/news/", talk.news, name="thread-news"),
    path("portfolio/", books.portfolio, name="portfolio"),
    path("orders/", books.orders, name="orders"),
    path("orders/<uuid:order_id>/", books.order, name="order"),
    path("orders/<uuid:order_id>/card/", talk.card, name="order-card"),
    path("orders/<uuid:order_id>/cancel/", talk.cancel, name="desk-cancel"),
    path("executions/", books.executions, name="executions"),
    path("executions.csv", books.executions_csv, name="executions-csv"),
    path("report/", report.report, name="report"),
    path("report/<str:week>/", report.report, name="report-week"),
    path("api/v1/", include(api)),
    path("admin/ops/", include("nextrade.ops.system_urls")),
    path("admin/second-factor/", pages.second_factor, name="second-factor"),
    path("admin/dossier/<uuid:order_id>/", admin.site.admin_view(dossier.download), name="order-dossier"),
    path("admin/week/", admin.site.admin_view(weekly.page), name="admin-week"),
    path("admin/trail/", admin.site.admin_view(desk_admin.whole), name="trail-integrity"),
    path("admin/trail/verify/", admin.site.admin_view(verification.verify), name="verify-trail"),
    path("admin/", admin.site.urls),
    path("ht/", HealthPage.as_view(), name="ht"),
    path("ht/<slug:component>/", HealthPage.as_view(), name="ht-component"),
    path("health", HealthJson.as_view(), name="health"),
    path("health/live", alive),
    path("health/ready", HealthJson.as_view()),
    path("metrics", metrics, name="metrics"),
    path("chat", Chat.as_view()),
    path("docs", reference.page),
]
