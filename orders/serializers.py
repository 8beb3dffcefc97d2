"""Orders, approvals and books as the API shows them: quantities and money as strings of decimals, times in UTC."""

from datetime import UTC
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from compliance import audit, proofs
from orders.codes import Severity
from orders.models import Approval, Execution, Order, Status
from orders.payload import plain


@extend_schema_field({"type": "string", "format": "decimal"})
class Amount(serializers.Field[Decimal, Any, str, Any]):
    """A decimal in plain digits; with cents: never fewer than two decimals."""

    def __init__(self, *, cents: bool = True, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)
        self.cents = cents

    def to_representation(self, value: Decimal) -> str:
        exact_in_cents = self.cents and value == value.quantize(Decimal("0.01"))
        return f"{value:.2f}" if exact_in_cents else plain(value)


class Moment(serializers.DateTimeField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)


class ExecutionSerializer(serializers.ModelSerializer[Execution]):
    quantity = Amount(cents=False)
    price = Amount(source="price_usd")
    commission = Amount(source="commission_usd")
    executed_at = Moment()

    class Meta:
        model = Execution
        fields = ("exec_id", "order_id", "symbol", "side", "quantity", "price", "commission", "broker", "executed_at")


class ApprovalSerializer(serializers.ModelSerializer[Approval]):
    checker = serializers.CharField(source="checker.username")
    quote = Amount(source="quote_usd")
    at = Moment()

    class Meta:
        model = Approval
        fields = ("checker", "at", "reason", "quote", "payload_sha256", "limits_version")


class HistorySerializer(serializers.Serializer[dict[str, Any]]):
    at = Moment()
    action = serializers.CharField()
    actor = serializers.CharField()
    reason = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        moved = {name: serializers.CharField(allow_null=True) for name in ("from", "to")}
        return {**super().get_fields(), **moved}


class CheckSerializer(serializers.Serializer[dict[str, Any]]):
    code = serializers.CharField()
    severity = serializers.CharField()
    passed = serializers.BooleanField()
    limit = serializers.CharField()
    actual = serializers.CharField()
    phase = serializers.CharField()
    limits_version = serializers.CharField()
    at = serializers.DateTimeField()


class OrderRowSerializer(serializers.ModelSerializer[Order]):
    """An order in a list."""

    user = serializers.CharField(source="maker.username")
    quantity = Amount(cents=False)
    limit_price = Amount(allow_null=True)
    stop_price = Amount(allow_null=True)
    cum_qty = Amount(cents=False)
    avg_px = Amount(allow_null=True)
    notional = Amount(source="notional_usd", allow_null=True)
    created_at = Moment()
    updated_at = Moment()
    expires_at = Moment()

    class Meta:
        model = Order
        fields: tuple[str, ...] = (
            "id",
            "client_order_id",
            "user",
            "thread_id",
            "symbol",
            "side",
            "quantity",
            "order_type",
            "limit_price",
            "stop_price",
            "time_in_force",
            "status",
            "version",
            "is_tainted",
            "approvals_needed",
            "cum_qty",
            "avg_px",
            "notional",
            "in_doubt",
            "payload_sha256",
            "created_at",
            "updated_at",
            "expires_at",
        )


class ReceiptSerializer(serializers.Serializer[Any]):
    """That a decision is in the audit trail: keep it, and nobody can deny the decision later (docs/audit.md)."""

    event_id = serializers.IntegerField()
    log = serializers.CharField()
    leaf_index = serializers.IntegerField()
    leaf_hash = serializers.CharField()
    tree_size = serializers.IntegerField()
    proof = serializers.ListField(child=serializers.CharField())
    checkpoint = serializers.CharField()


class OrderSerializer(OrderRowSerializer):
    """An order with all that is known of it."""

    checks = CheckSerializer(many=True)
    approval = serializers.SerializerMethodField()
    executions = ExecutionSerializer(many=True)
    receipts = serializers.SerializerMethodField()
    history = serializers.SerializerMethodField()

    class Meta(OrderRowSerializer.Meta):
        fields = (
            *OrderRowSerializer.Meta.fields,
            "user_words",
            "rationale",
            "model",
            "checks",
            "approval",
            "executions",
            "receipts",
            "history",
        )

    @extend_schema_field(ApprovalSerializer(allow_null=True))
    def get_approval(self, order: Order) -> Any:
        approval = order.approvals.select_related("checker").first()
        return ApprovalSerializer(approval).data if approval else None

    @extend_schema_field(ReceiptSerializer(many=True))
    def get_receipts(self, order: Order) -> Any:
        return proofs.receipts(order.pk)

    @extend_schema_field(HistorySerializer(many=True))
    def get_history(self, order: Order) -> Any:
        return [HistorySerializer(move).data for move in audit.history(order.pk)]


class OrderCardSerializer(serializers.ModelSerializer[Order]):
    """An order as a chat answer shows it."""

    order_id = serializers.UUIDField(source="id")
    quantity = Amount(cents=False)
    limit_price = Amount(allow_null=True)
    notional = Amount(source="notional_usd", allow_null=True)
    order_details = serializers.SerializerMethodField()
    expires_at = Moment()
    denials = serializers.SerializerMethodField()

    class Meta:
        model = Order
        fields = (
            "order_id",
            "status",
            "symbol",
            "side",
            "quantity",
            "order_type",
            "limit_price",
            "notional",
            "order_details",
            "expires_at",
            "denials",
        )

    def get_order_details(self, order: Order) -> str:
        price = f"limit {plain(order.limit_price)} USD" if order.limit_price else "at market"
        return f"{order.side.capitalize()} {plain(order.quantity)} {order.symbol} {price}, {order.time_in_force}"

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_denials(self, order: Order) -> list[str]:
        if order.status != Status.DENIED:
            return []
        return [check["code"] for check in order.checks if not check["passed"] and check["severity"] == Severity.HARD]


class DecisionSerializer(serializers.Serializer[Any]):
    decision = serializers.ChoiceField(choices=["approve", "decline"])
    reason = serializers.CharField(max_length=500, allow_blank=True, default="")
    version = serializers.IntegerField(min_value=0)


class PositionSerializer(serializers.Serializer[Any]):
    symbol = serializers.CharField()
    quantity = Amount(cents=False)
    avg_cost = Amount(source="avg_cost_usd")
    market_price = Amount(source="quote.price_usd", allow_null=True, default=None)
    market_value = Amount(source="market_value_usd", allow_null=True)
    unrealized_pnl = Amount(source="unrealized_pnl_usd", allow_null=True)
    realized_pnl = Amount(source="realized_pnl_usd")
    source = serializers.CharField(source="quote.source", allow_null=True, default=None)  # type: ignore[assignment]
    as_of = Moment(source="quote.as_of", allow_null=True, default=None)


class PortfolioSerializer(serializers.Serializer[Any]):
    cash = Amount(source="cash_usd")
    reserved = Amount(source="reserved_usd")
    equity = Amount(source="equity_usd", allow_null=True)
    positions = PositionSerializer(source="holdings", many=True)
