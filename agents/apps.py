from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"

    def ready(self) -> None:
        from agents import privacy, services
        from compliance import erasure
        from orders.signals import order_moved

        erasure.contributor(privacy.CONTRIBUTOR)
        order_moved.connect(services.tell, dispatch_uid="agents.tell")
