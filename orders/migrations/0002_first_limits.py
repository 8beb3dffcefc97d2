from datetime import UTC, datetime
from decimal import Decimal

from django.db import migrations


def forwards(apps, schema_editor):
    """Cautious limits, so that a new installation can trade on paper and nobody trades without any."""
    apps.get_model("orders", "Limits").objects.create(
        max_quantity=Decimal(100_000),
        max_notional_usd=Decimal(250_000),
        min_notional_usd=Decimal(1),
        max_approval_usd=Decimal(250_000),
        duplicate_window_s=30,
        max_quote_age_s=120,
        set_by="system:migration",
        set_at=datetime(2026, 11, 1, tzinfo=UTC),
    )


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]
    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
