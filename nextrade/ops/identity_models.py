"""Who is who beyond a name and a password: people of a provider, programs, and rights taken in an emergency."""

from django.contrib.auth.models import Group, User
from django.db import models
from django.db.models import F, Q


class ProviderIdentity(models.Model):
    """A person as the identity provider knows them. subject: its `sub`, which it never gives to another."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="provider_identity")
    issuer = models.CharField(max_length=200)
    subject = models.CharField(max_length=255)
    linked_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["issuer", "subject"], name="ops_provideridentity_once"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.user}"


class ServiceAccount(models.Model):
    """A program's account: tokens alone, until a date, and a person who answers for it."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="service_account")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="service_accounts")
    purpose = models.CharField(max_length=200)
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name = "service account"
        constraints = (models.CheckConstraint(condition=~Q(user=F("owner")), name="ops_serviceaccount_of_two"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.user}"


class BreakGlass(models.Model):
    """Rights of a group, taken by a person in an emergency, for an hour and with a reason."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="broken_glass")
    group = models.ForeignKey(Group, on_delete=models.PROTECT)
    reason = models.CharField(max_length=300)
    started_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        verbose_name = "emergency right"
        constraints = (
            models.CheckConstraint(condition=Q(ends_at__gte=F("started_at")), name="ops_breakglass_ends_later"),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.user}: {self.group}"
