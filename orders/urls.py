from django.urls import path

from orders import api

urlpatterns = [
    path("orders/", api.OrderList.as_view(), name="order-list"),
    path("orders/<uuid:pk>/", api.OrderDetail.as_view(), name="order-detail"),
    path("orders/<uuid:pk>/cancel/", api.OrderCancel.as_view(), name="order-cancel"),
    path("approvals/", api.ApprovalQueue.as_view(), name="approval-queue"),
    path("approvals/<uuid:order_id>/", api.ApprovalDecision.as_view(), name="approval-decision"),
    path("portfolio/", api.PortfolioView.as_view(), name="portfolio"),
    path("executions/", api.ExecutionList.as_view(), name="execution-list"),
]
