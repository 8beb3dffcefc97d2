from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ComplianceConfig(AppConfig):
    name = "compliance"

    def ready(self) -> None:
        from compliance import grants, review_admin, triggers  # noqa: F401 - register themselves

        post_migrate.connect(triggers.reinstall, sender=self)
