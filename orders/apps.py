from django.apps import AppConfig
from django.db.models.signals import post_migrate


class OrdersConfig(AppConfig):
    name = "orders"
    verbose_name = "Desk"

    def ready(self) -> None:
        from compliance import erasure
        from orders import notices, privacy, triggers
        from orders.signals import order_moved

        erasure.contributor(privacy.CONTRIBUTOR)
        post_migrate.connect(triggers.reinstall, sender=self)
        order_moved.connect(notices.moved, dispatch_uid="orders.notices")
