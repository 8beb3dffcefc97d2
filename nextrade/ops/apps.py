from django.apps import AppConfig
from django.db.models.signals import post_migrate


class OpsConfig(AppConfig):
    name = "nextrade.ops"
    label = "ops"
    verbose_name = "Operations"

    def ready(self) -> None:
        from compliance import erasure
        from nextrade import telemetry, witness  # noqa: F401 - witness listens
        from nextrade.ops import checks, disposal, privacy, setup  # noqa: F401 - register themselves

        erasure.contributor(privacy.CONTRIBUTOR)
        post_migrate.connect(setup.after_migrate, sender=self)
        telemetry.start()
