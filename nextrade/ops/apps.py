from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class OpsConfig(AppConfig):
    name = "nextrade.ops"
    label = "ops"
    verbose_name = "Operations"

    def ready(self) -> None:
        from compliance import erasure
        from nextrade import migrating, telemetry, witness  # noqa: F401 - witness listens
        from nextrade.ops import checks, disposal, privacy, queue_guard, setup  # noqa: F401 - register themselves

        erasure.contributor(privacy.CONTRIBUTOR)
        queue_guard.guard()
        pre_migrate.connect(migrating.hurry, sender=self)
        post_migrate.connect(migrating.take_time, sender=self)
        post_migrate.connect(setup.after_migrate, sender=self)
        telemetry.start()
