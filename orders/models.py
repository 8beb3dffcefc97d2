import uuid
from decimal import Decimal

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models import F, Q


def money() -> "models.DecimalField[Decimal, Decimal]":
    """US dollars, to a millionth: prices of fractions and average costs need more than cents."""
    return models.DecimalField(max_digits=20, decimal_places=6)


def money_or_none(label: str) -> "models.DecimalField[Decimal | None, Decimal | None]":
    return models.DecimalField(label, max_digits=20, decimal_places=6, null=True, blank=True)


def percent(label: str) -> "models.DecimalField[Decimal | None, Decimal | None]":
    return models.DecimalField(label, max_digits=7, decimal_places=3, null=True, blank=True)


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
    STOP = "stop"
    STOP_LIMIT = "stop_limit", "stop limit"


WITH_LIMIT = (OrderType.LIMIT, OrderType.STOP_LIMIT)
WITH_STOP = (OrderType.STOP, OrderType.STOP_LIMIT)


class TimeInForce(models.TextChoices):
    DAY = "day"
    GTC = "gtc", "good till cancelled"
    IOC = "ioc", "immediate or cancel"
    FOK = "fok", "fill or kill"


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
    """Pre-trade limits of a scope: "firm", "account:<id>" or "symbol:<ticker>". A change is a new row, and holds once a
    second person has approved it; of every scope the newest approved row counts, and of the scopes the strictest value.

    A limit that is None says nothing in its scope; one that no scope states fails its check. Percentages: 5 is five
    percent.
    """

    version = models.AutoField(primary_key=True)
    scope = models.CharField(max_length=40, default="firm")
    max_quantity = models.DecimalField("shares per order", max_digits=18, decimal_places=6, null=True, blank=True)
    max_notional_usd = money_or_none("USD per order, at most")
    min_notional_usd = money_or_none("USD per order, at least")
    max_approval_usd = money_or_none("USD one approver may decide on")
    second_approver_usd = money_or_none("USD above which two approve")
    collar_pct = percent("limit price from the market, %")
    drift_pct = percent("move since it was shown, %")
    max_position_pct = percent("one symbol of equity, %")
    max_sector_pct = percent("one sector of equity, %")
    max_gross_usd = money_or_none("USD held and ordered, per account")
    max_credit_usd = money_or_none("USD in open buys, per account")
    max_firm_credit_usd = money_or_none("USD in open buys, the firm")
    max_daily_loss_usd = money_or_none("USD lost in a day")
    max_drawdown_pct = percent("fall from the highest equity, %")
    max_orders_per_minute = models.PositiveIntegerField(null=True, blank=True)
    max_orders_per_day = models.PositiveIntegerField(null=True, blank=True)
    duplicate_window_s = models.PositiveIntegerField(null=True, blank=True)
    max_quote_age_s = models.PositiveIntegerField(null=True, blank=True)
    are_market_orders_allowed = models.BooleanField(default=True)
    reason = models.CharField(max_length=200, blank=True)
    set_by = models.CharField(max_length=64)
    set_at = models.DateTimeField()
    approved_by = models.CharField(max_length=64, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "limits"
        permissions = (("approve_limits", "Can approve a change of limits"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(approved_by="") | ~Q(approved_by=F("set_by")), name="orders_limits_four_eyes"
            ),
        )

    def __str__(self) -> str:
        return f"#{self.version} limits of {self.scope}"


class TradingState(models.Model):
    """What is stopped, where and until when: everything, or all but what reduces exposure. A row without symbol and
    account is for the firm; it holds until it is lifted or its end has come.
    """

    class State(models.TextChoices):
        REDUCING = "reducing"
        HALTED = "halted"

    state = models.CharField(max_length=10, choices=State, default=State.HALTED)
    symbol = models.CharField(max_length=12, blank=True)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="states")
    reason = models.CharField(max_length=200)
    set_by = models.CharField(max_length=64)
    set_at = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"#{self.pk} {self.state} {self.where}"

    @property
    def where(self) -> str:
        return self.symbol or (f"account of {self.account.owner}" if self.account else "all trading")


class Conflict(models.Model):
    """Two people of whom neither decides on the other's orders."""

    one = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    other = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=200)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["one", "other"], name="orders_conflict_once"),
            models.CheckConstraint(condition=~Q(one=F("other")), name="orders_conflict_of_two"),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.one} and {self.other}"


class Delegation(models.Model):
    """An approver's authority, lent to somebody until a date. It does not lend what the giver has not."""

    giver = models.ForeignKey(User, on_delete=models.CASCADE, related_name="delegations_given")
    taker = models.ForeignKey(User, on_delete=models.CASCADE, related_name="delegations_taken")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=~Q(giver=F("taker")), name="orders_delegation_of_two"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="orders_delegation_ends"),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.giver} to {self.taker}"


class Order(models.Model):
    """What somebody wants to trade, from proposal to end. Only `transitions.move` writes status.

    proposal_key: names the tool call that proposed it, so that a replay finds the row. client_order_id: the broker's
    key. payload_sha256: of the canonical order (orders.payload), what is approved and what is sent.
    user_words: the message that asked for it. rationale: a model's text, never a reason to allow anything.
    reserve_price_usd: what a share is reckoned at while the order is open; checks: results of risk.assess, all phases.
    snapshot: price, position, cash and limits at proposal, for the diff. good_until: the close that ends a day order.
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
    stop_price = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    time_in_force = models.CharField(max_length=4, choices=TimeInForce, default=TimeInForce.DAY)
    payload_sha256 = models.CharField(max_length=64)
    status = models.CharField(max_length=20, choices=Status, default=Status.PROPOSED)
    version = models.PositiveIntegerField(default=0)
    cum_qty = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    avg_px = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    in_doubt = models.BooleanField(default=False)
    is_tainted = models.BooleanField("not in the person's own words", default=False)
    approvals_needed = models.PositiveSmallIntegerField(default=1)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    good_until = models.DateTimeField(null=True, blank=True)
    broker_order_id = models.CharField(max_length=64, blank=True)
    broker_status = models.CharField(max_length=40, blank=True)
    user_words = models.TextField(blank=True)
    rationale = models.TextField(blank=True)
    model = models.CharField(max_length=100, blank=True)
    quote_usd = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    quote_as_of = models.DateTimeField(null=True)
    quote_source = models.CharField(max_length=40, blank=True)
    reserve_price_usd = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    limits_version = models.CharField(max_length=120, blank=True)
    checks = models.JSONField(default=list)
    snapshot = models.JSONField(default=dict)
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
                condition=Q(order_type__in=WITH_LIMIT, limit_price__gt=0)
                | (~Q(order_type__in=WITH_LIMIT) & Q(limit_price=None)),
                name="orders_order_limit_has_price",
            ),
            models.CheckConstraint(
                condition=Q(order_type__in=WITH_STOP, stop_price__gt=0)
                | (~Q(order_type__in=WITH_STOP) & Q(stop_price=None)),
                name="orders_order_stop_has_price",
            ),
        )
        indexes = (
            models.Index(fields=["account", "-created_at", "-id"], name="orders_order_account"),
            models.Index(fields=["account"], condition=Q(status__in=OPEN), name="orders_order_open"),
            models.Index(fields=["status", "created_at", "id"], name="orders_order_state"),
            models.Index(fields=["thread_id", "created_at"], name="orders_order_thread"),
            models.Index(fields=["-created_at", "-id"], name="orders_order_newest"),
            models.Index(fields=["maker", "-created_at", "-id"], name="orders_order_maker"),
            models.Index(fields=["symbol", "-created_at", "-id"], name="orders_order_symbol"),
            models.Index(fields=["updated_at"], condition=Q(thread_id__isnull=False), name="orders_order_moved"),
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
    limits_version = models.CharField(max_length=120)
    at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=~Q(maker=F("checker")), name="orders_approval_four_eyes"),
            models.UniqueConstraint(fields=["order", "checker"], name="orders_approval_once_each"),
        )
        indexes = (models.Index(fields=["at"], name="orders_approval_at"),)

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
        indexes = (
            models.Index(fields=["account", "-executed_at", "-id"], name="orders_execution_account"),
            models.Index(fields=["-executed_at", "-id"], name="orders_execution_newest"),
        )

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
        indexes = (models.Index(fields=["id"], condition=Q(done_at=None), name="orders_outbox_waiting"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.kind} {self.order_id}"


class Switch(models.Model):
    """A switch that operations turn, each time with an event. live_trading: the second of the two that real money
    needs."""

    LIVE_TRADING = "live_trading"
    name = models.CharField(max_length=40, primary_key=True)
    is_on = models.BooleanField(default=False)
    reason = models.CharField(max_length=200)
    set_by = models.CharField(max_length=64)
    set_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"#{self.name} {'on' if self.is_on else 'off'}"


class EquityDay(models.Model):
    """What an account was worth when a day ended (UTC), in USD."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="equity_days")
    day = models.DateField()
    cash_usd = money()
    equity_usd = money()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["account", "day"], name="orders_equityday_once"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.day} {self.equity_usd}"


class Break(models.Model):
    """A difference between our books and the broker's, which stops approvals until somebody has resolved it.

    account: None where the broker's book does not tell accounts apart. subject: an order's client id, or a symbol.
    """

    class Kind(models.TextChoices):
        ORDER = "order", "an order that one side does not know"
        QUANTITY = "quantity", "a filled quantity"
        POSITION = "position", "a position"

    kind = models.CharField(max_length=10, choices=Kind)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="breaks")
    subject = models.CharField(max_length=40)
    ours = models.CharField(max_length=100)
    theirs = models.CharField(max_length=100)
    found_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(resolved_at=None), name="orders_break_once"
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.kind} {self.subject}"


class PaperOrder(models.Model):
    """The paper broker's own book, kept apart from ours so that two books can be compared."""

    client_order_id = models.CharField(max_length=40, unique=True)
    symbol = models.CharField(max_length=12)
    side = models.CharField(max_length=4, choices=Side)
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    order_type = models.CharField(max_length=10, choices=OrderType)
    limit_price = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    stop_price = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    time_in_force = models.CharField(max_length=4, choices=TimeInForce)
    good_until = models.DateTimeField(null=True)
    is_triggered = models.BooleanField(default=False)
    status = models.CharField(max_length=20)
    cum_qty = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    reason = models.CharField(max_length=200, blank=True)
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"#{self.pk} {self.client_order_id}"


class PaperFill(models.Model):
    """One execution at the paper broker."""

    order = models.ForeignKey(PaperOrder, on_delete=models.PROTECT, related_name="fills")
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    price_usd = money()
    commission_usd = money()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"#{self.pk} {self.quantity} at {self.price_usd}"
