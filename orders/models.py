import uuid
from decimal import Decimal

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models import F, Q


def money() -> "models.DecimalField[Decimal, Decimal]":
    """US dollars, to a millionth: prices of fractions and average costs need more than cents."""
    return models.DecimalField(max_digits=20, decimal_places=6)


class Status(models.TextChoices):
    PROPOSED = "proposed"
    DENIED = "denied"
    PENDING_APPROVAL = "pending_approval"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    APPROVED = "approved"
    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    PENDING_CANCEL = "pending_cancel"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


AT_BROKER = (Status.PENDING_NEW, Status.NEW, Status.PARTIALLY_FILLED, Status.PENDING_CANCEL)
COMMITTED = (Status.APPROVED, *AT_BROKER)
OPEN = (Status.PENDING_APPROVAL, *COMMITTED)


class Event(models.TextChoices):
    ADMIT = "admit"
    DENY = "deny"
    APPROVE = "approve"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    LAPSE = "lapse"
    SUBMIT = "submit"
    ACKNOWLEDGE = "acknowledge"
    REJECT = "reject"
    PARTIAL_FILL = "partial_fill"
    FILL = "fill"
    REQUEST_CANCEL = "request_cancel"
    CANCEL = "cancel"
    EXPIRE = "expire"


class Side(models.TextChoices):
    BUY = "buy"
    SELL = "sell"


class OrderType(models.TextChoices):
    MARKET = "market"
    LIMIT = "limit"


class TimeInForce(models.TextChoices):
    DAY = "day"
    GTC = "gtc", "good till cancelled"


class Account(models.Model):
    """A trader's book. cash_usd follows from transfers and executions; whoever changes it holds this row's lock."""

    owner = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="account")
    is_active = models.BooleanField(default=True)
    cash_usd = money()
    opened_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"#{self.pk} {self.owner}"


class CashTransfer(models.Model):
    """Money that came into an account (or left it) other than by a trade."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="transfers")
    amount_usd = money()
    reason = models.CharField(max_length=200)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"#{self.pk} {self.amount_usd} USD"


class Limits(models.Model):
    """The firm's pre-trade limits. A change is a new row: the newest holds, and orders name the one they were held
    to."""

    version = models.AutoField(primary_key=True)
    max_quantity = models.DecimalField(max_digits=18, decimal_places=6)
    max_notional_usd = money()
    min_notional_usd = money()
    max_approval_usd = money()
    duplicate_window_s = models.PositiveIntegerField()
    max_quote_age_s = models.PositiveIntegerField()
    set_by = models.CharField(max_length=64)
    set_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "limits"

    def __str__(self) -> str:
        return f"#{self.version} limits"


class TradingHalt(models.Model):
    """The kill switch: while a row is open, no order in its symbol is proposed, approved or sent. No symbol: every
    one."""

    symbol = models.CharField(max_length=12, blank=True)
    reason = models.CharField(max_length=200)
    halted_by = models.CharField(max_length=64)
    halted_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"#{self.pk} halt {self.symbol or 'all trading'}"


class Order(models.Model):
    """What somebody wants to trade, from proposal to end. Only `transitions.move` writes status.

    proposal_key: names the tool call that proposed it, so that a replay finds the row. client_order_id: the broker's
    key. payload_sha256: of the canonical order (orders.payload), what is approved and what is sent.
    user_words: the message that asked for it. rationale: a model's text, never a reason to allow anything.
    reserve_price_usd: what a share is reckoned at while the order is open; checks: results of risk.assess, all phases.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client_order_id = models.CharField(max_length=40, unique=True)
    proposal_key = models.CharField(max_length=200, unique=True)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="orders")
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="orders")
    thread_id = models.UUIDField(null=True, blank=True)
    turn_id = models.UUIDField(null=True, blank=True, db_index=True)
    symbol = models.CharField(max_length=12)
    side = models.CharField(max_length=4, choices=Side)
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    order_type = models.CharField(max_length=10, choices=OrderType)
    limit_price = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    time_in_force = models.CharField(max_length=4, choices=TimeInForce, default=TimeInForce.DAY)
    payload_sha256 = models.CharField(max_length=64)
    status = models.CharField(max_length=20, choices=Status, default=Status.PROPOSED)
    version = models.PositiveIntegerField(default=0)
    cum_qty = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    avg_px = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    in_doubt = models.BooleanField(default=False)
    broker_order_id = models.CharField(max_length=64, blank=True)
    broker_status = models.CharField(max_length=40, blank=True)
    user_words = models.TextField(blank=True)
    rationale = models.TextField(blank=True)
    model = models.CharField(max_length=100, blank=True)
    quote_usd = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    quote_as_of = models.DateTimeField(null=True)
    quote_source = models.CharField(max_length=40, blank=True)
    reserve_price_usd = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    limits_version = models.PositiveIntegerField(null=True)
    checks = models.JSONField(default=list)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        permissions = (("approve_order", "Can approve or decline an order"),)
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="orders_order_quantity_positive"),
            models.CheckConstraint(
                condition=Q(cum_qty__gte=0, cum_qty__lte=F("quantity")), name="orders_order_cum_qty_within"
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.FILLED) | Q(cum_qty=F("quantity")), name="orders_order_filled_is_full"
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="orders_order_status_known"),
            models.CheckConstraint(
                condition=(
                    Q(order_type=OrderType.LIMIT, limit_price__gt=0) | Q(order_type=OrderType.MARKET, limit_price=None)
                ),
                name="orders_order_limit_has_price",
            ),
        )
        indexes = (
            models.Index(fields=["account", "-created_at", "-id"], name="orders_order_account"),
            models.Index(fields=["status", "created_at"], name="orders_order_status"),
            models.Index(fields=["thread_id", "created_at"], name="orders_order_thread"),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.side} {self.quantity.normalize():f} {self.symbol}"

    @property
    def notional_usd(self) -> Decimal | None:
        """quantity times reserve price: what the order is expected to move, None without a price."""
        return None if self.reserve_price_usd is None else self.quantity * self.reserve_price_usd


class Approval(models.Model):
    """A second person's yes to exactly these bytes. maker is copied so that the database can compare the two."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="approvals")
    maker = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    checker = models.ForeignKey(User, on_delete=models.PROTECT, related_name="approvals")
    payload_sha256 = models.CharField(max_length=64)
    reason = models.CharField(max_length=500, blank=True)
    quote_usd = money()
    quote_as_of = models.DateTimeField()
    limits_version = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=~Q(maker=F("checker")), name="orders_approval_four_eyes"),
            models.UniqueConstraint(fields=["order", "checker"], name="orders_approval_once_each"),
        )

    def __str__(self) -> str:
        return f"#{self.pk} approval of {self.order_id}"


class Execution(models.Model):
    """One fill as the broker reported it. Cash and positions follow from these rows."""

    exec_id = models.CharField(max_length=64, unique=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="executions")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="executions")
    symbol = models.CharField(max_length=12)
    side = models.CharField(max_length=4, choices=Side)
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    price_usd = money()
    commission_usd = money()
    broker = models.CharField(max_length=20)
    executed_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0, price_usd__gt=0), name="orders_execution_positive"),
        )
        indexes = (models.Index(fields=["account", "-executed_at", "-id"], name="orders_execution_account"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.side} {self.quantity} {self.symbol} at {self.price_usd}"


class Position(models.Model):
    """What an account holds of a symbol: the sum of its executions, kept by orders.books."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="positions")
    symbol = models.CharField(max_length=12)
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    avg_cost_usd = money()
    realized_pnl_usd = money()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["account", "symbol"], name="orders_position_unique"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.quantity} {self.symbol}"


class Outbox(models.Model):
    """Work for the broker that must be done once: claimed by compare-and-set on attempts, held for a lease."""

    class Kind(models.TextChoices):
        SUBMIT = "submit"
        CANCEL = "cancel"

    kind = models.CharField(max_length=10, choices=Kind)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="outbox")
    attempts = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "outbox"
        constraints = (models.UniqueConstraint(fields=["kind", "order"], name="orders_outbox_once"),)
        indexes = (models.Index(fields=["created_at"], condition=Q(done_at=None), name="orders_outbox_undone"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.kind} {self.order_id}"


class PaperOrder(models.Model):
    """The paper broker's own book, kept apart from ours so that two books can be compared."""

    client_order_id = models.CharField(max_length=40, unique=True)
    symbol = models.CharField(max_length=12)
    side = models.CharField(max_length=4, choices=Side)
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    limit_price = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    status = models.CharField(max_length=20)
    fill_price = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    filled_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"#{self.pk} {self.client_order_id}"
