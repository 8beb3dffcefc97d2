"""The embedded model is free, and the default model has the price its maker published; whoever runs NexTrade checks it."""

from datetime import date
from decimal import Decimal

from django.db import migrations

PRICES = (
    ("offline-rules", date(2026, 1, 1), "0", "0", "0", "embedded, free of charge"),
    ("gpt-4o-mini", date(2024, 7, 18), "0.15", "0.075", "0.60", "OpenAI's list at its release; check before relying on it"),
)


def add(apps, schema_editor):
    prices = apps.get_model("agents", "ModelPrice")
    for model, since, fresh, cached, output, source in PRICES:
        prices.objects.get_or_create(
            model=model,
            valid_from=since,
            defaults={
                "input_usd": Decimal(fresh),
                "cached_usd": Decimal(cached),
                "output_usd": Decimal(output),
                "source": source,
                "set_by": "system:installation",
            },
        )


class Migration(migrations.Migration):
    dependencies = [("agents", "0004_prices")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
