"""News for whoever stands above: sent after the commit, with ids alone."""

from django.dispatch import Signal

order_moved = Signal()  # order_id: UUID, action: compliance.audit.Action
