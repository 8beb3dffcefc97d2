from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"

    def ready(self) -> None:
        from agents import services
        from orders.signals import order_moved

        order_moved.connect(services.tell, dispatch_uid="agents.tell")
