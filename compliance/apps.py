from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ComplianceConfig(AppConfig):
    name = "compliance"

    def ready(self) -> None:
        from compliance import grants, triggers  # noqa: F401 - registers its check

        post_migrate.connect(triggers.reinstall, sender=self)
