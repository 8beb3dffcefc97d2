from datetime import UTC, datetime
from decimal import Decimal

from django.db import migrations


def forwards(apps, schema_editor):
    """Cautious limits, so that a new installation can trade on paper and nobody trades without any."""
    apps.get_model("orders", "Limits").objects.create(
        scope="firm",
        max_quantity=Decimal(100_000),
        max_notional_usd=Decimal(250_000),
        min_notional_usd=Decimal(1),
        max_approval_usd=Decimal(250_000),
        second_approver_usd=Decimal(75_000),
        collar_pct=Decimal(10),
        drift_pct=Decimal("0.5"),
        max_position_pct=Decimal(80),
        max_sector_pct=Decimal(95),
        max_gross_usd=Decimal(1_000_000),
        max_credit_usd=Decimal(500_000),
        max_firm_credit_usd=Decimal(10_000_000),
        max_daily_loss_usd=Decimal(10_000),
        max_drawdown_pct=Decimal(25),
        max_orders_per_minute=30,
        max_orders_per_day=500,
        duplicate_window_s=30,
        max_quote_age_s=120,
        reason="a new installation's",
        set_by="system:migration",
        set_at=datetime(2026, 11, 1, tzinfo=UTC),
        approved_by="system:installation",
        approved_at=datetime(2026, 11, 1, tzinfo=UTC),
    )


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]
    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
