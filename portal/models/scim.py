"""What the provider's provisioning (SCIM 2.0) has said of people, and its groups."""

import uuid

from django.db import models
from django.db.models.functions import Now

from portal.models.people import User


class ProvisionedPerson(models.Model):
    """What provisioning says of a person beside what the portal keeps of everybody.

    Whoever came by another door has none until provisioning changes something about them.
    """

    user = models.OneToOneField(
        User, primary_key=True, on_delete=models.CASCADE, related_name="provisioned"
    )
    external_id = models.CharField("the provider's own id", max_length=255, blank=True)
    display_name = models.CharField(max_length=150, blank=True)
    given_name = models.CharField(max_length=150, blank=True)
    family_name = models.CharField(max_length=150, blank=True)
    # Only what provisioning has closed does it open again: an admin may have closed somebody, too.
    is_closed = models.BooleanField("closed by provisioning", default=False)
    says_active = models.BooleanField("provisioning says whether they are active", default=True)
    removed_at = models.DateTimeField("when provisioning deleted them", null=True)
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "provisioned people"
        indexes = [models.Index(fields=["external_id"], name="provisioned_by_external_id")]

    def __str__(self) -> str:
        return str(self.user)


class ScimGroup(models.Model):
    """A group of the provider's. Two may have one name; the access file may name either."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    display_name = models.CharField(max_length=255)
    external_id = models.CharField("the provider's own id", max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())
    # Counts changes of its name, its id and its people: two at once must not undo each other.
    # ``followed`` is the revision by which people's access was last decided.
    revision = models.PositiveIntegerField(db_default=0, default=0)
    followed = models.PositiveIntegerField(db_default=0, default=0)

    people = models.ManyToManyField(User, through="ScimGroupMember", related_name="scim_groups")

    class Meta:
        indexes = [
            models.Index(fields=["display_name"], name="scim_group_by_name"),
            models.Index(fields=["external_id"], name="scim_group_by_external_id"),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def names(self) -> set[str]:
        """By which names the access file may mean it."""
        return {name for name in (self.display_name, self.external_id) if name}


class ScimGroupMember(models.Model):
    """That a person is in a group."""

    group = models.ForeignKey(ScimGroup, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="scim_memberships")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "user"], name="scim_group_member_once")
        ]

    def __str__(self) -> str:
        return f"{self.user} is in {self.group}"
