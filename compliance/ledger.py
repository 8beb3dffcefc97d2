"""What makes the trail prove itself: leaves, tree, checkpoints, anchors, keys. All append-only, like the events.

No foreign keys: each table must be readable, and provable, when another has been tampered with.
"""

from django.db import models


class Leaf(models.Model):
    """An event's place in its log's tree. log: class and month, such as "txn/2026-11"."""

    log = models.CharField(max_length=32)
    leaf_index = models.BigIntegerField()
    event_id = models.BigIntegerField(unique=True)
    leaf_hash = models.BinaryField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["log", "leaf_index"], name="compliance_leaf_place"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.log}/{self.leaf_index}"


class Node(models.Model):
    """The root of a complete subtree, kept so that a proof need not read the past (compliance.merkle.STEP)."""

    log = models.CharField(max_length=32)
    height = models.PositiveSmallIntegerField()
    node_index = models.BigIntegerField()
    node_hash = models.BinaryField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["log", "height", "node_index"], name="compliance_node_place"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.log} {self.height}/{self.node_index}"


class Checkpoint(models.Model):
    """A signed note about a log's tree; every other column repeats a part of it. frontier: the tree's right edge."""

    log = models.CharField(max_length=32)
    size = models.BigIntegerField()
    root = models.BinaryField()
    note = models.TextField()
    frontier = models.BinaryField()
    is_final = models.BooleanField(default=False)

    class Meta:
        indexes = (models.Index(fields=["log", "size"], name="compliance_checkpoint_size"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.log} {self.size}"


class Anchor(models.Model):
    """That a checkpoint has been put outside. note: the sealer's signed word for it; the columns repeat it."""

    log = models.CharField(max_length=32)
    size = models.BigIntegerField()
    sink = models.CharField(max_length=200)
    external_ref = models.CharField(max_length=500)
    confirmed_at = models.DateTimeField()
    note = models.TextField()

    class Meta:
        indexes = (models.Index(fields=["log", "-size"], name="compliance_anchor_size"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.log} {self.size} {self.sink}"


class Statement(models.Model):
    """A signed note about a key or a log (compliance.trust); kind and subject repeat a part of it."""

    class Kind(models.TextChoices):
        INTRODUCE = "introduce"
        REVOKE = "revoke"
        RESTORE = "restore"
        PURGE = "purge"

    kind = models.CharField(max_length=16, choices=Kind)
    subject = models.CharField(max_length=200)
    note = models.TextField()

    def __str__(self) -> str:
        return f"#{self.pk} {self.kind} {self.subject}"


class Receipt(models.Model):
    """The proof that an approver is shown and keeps: their decision is in the tree of that checkpoint.

    proof: the hashes of the inclusion proof, one after the other.
    """

    event_id = models.BigIntegerField(unique=True)
    order_id = models.UUIDField(db_index=True)
    leaf_hash = models.BinaryField()
    log = models.CharField(max_length=32)
    leaf_index = models.BigIntegerField()
    size = models.BigIntegerField()
    proof = models.BinaryField()
    note = models.TextField()

    def __str__(self) -> str:
        return f"#{self.pk} {self.order_id}"
