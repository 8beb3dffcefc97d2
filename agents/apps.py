from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"

    def ready(self) -> None:
        from agents import live, metrics, privacy, services
        from compliance import erasure
        from orders.signals import order_moved

        erasure.contributor(privacy.CONTRIBUTOR)
        metrics.prepare()
        order_moved.connect(live.order_moved, dispatch_uid="agents.live")
        order_moved.connect(services.tell, dispatch_uid="agents.tell")
