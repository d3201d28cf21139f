"""People and their teams."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower

from portal import mailbox


class UserManager(BaseUserManager["User"]):
    """Makes people and finds them by e-mail address, however it is spelled."""

    def by_address(self, address: str) -> "User | None":
        """The person with this address; None for what is no address."""
        return self.filter(email__in=mailbox.spellings(address)).first()

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__in=mailbox.spellings(username or ""))

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=mailbox.folded(email.strip()), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_admin=True, is_auditor=True, **fields)


def _is_address(text: str) -> None:
    try:
        mailbox.canonical(text)
    except mailbox.NotAnAddressError as error:
        raise ValidationError(f"This {error}.") from None


if TYPE_CHECKING:
    _EmailField = models.EmailField[str, str]
else:
    _EmailField = models.EmailField


class AddressField(_EmailField):
    """An e-mail address by the portal's own rule; to the database it is Django's."""

    default_validators = [_is_address]

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.EmailField", args, kwargs

    def formfield(self, *args: Any, **kwargs: Any) -> Any:
        """As a text: Django's field for addresses has a rule of its own."""
        return models.CharField.formfield(self, *args, **kwargs)


class User(AbstractBaseUser):
    """A person who signs in. The e-mail address is the name they sign in with.

    An admin manages teams and grants, and may revoke anything; an auditor reads everything and
    changes nothing. What else a person may do follows from their memberships.
    """

    email = AddressField("e-mail address", max_length=254, unique=True)
    name = models.CharField(max_length=150, blank=True)
    is_active = models.BooleanField("may sign in", default=True)
    is_admin = models.BooleanField("admin", default=False)
    is_auditor = models.BooleanField("auditor", default=False)
    is_demo = models.BooleanField("demo person", default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    # Sessions begun under an older epoch are over (portal.flows.end_sessions). ``rights_seen`` is
    # what the person could do when that was last looked at.
    session_epoch = models.PositiveIntegerField(db_default=0, editable=False)
    rights_seen = models.TextField(db_default="", editable=False)
    # Shorter than people without a second factor may choose it (portal.passwords).
    has_short_password = models.BooleanField(db_default=False, editable=False)

    # What the groups of single sign-on alone have made of the person (portal.flows.sync_groups): it
    # goes with them. ``is_named`` is False of somebody whom neither the access file nor an admin
    # names: who is here for such a group, or has left the file.
    admin_by_group = models.BooleanField(db_default=False, default=False, editable=False)
    auditor_by_group = models.BooleanField(db_default=False, default=False, editable=False)
    is_named = models.BooleanField(db_default=True, default=True, editable=False)
    # Of their browser, when they last sent a form that names it; empty is UTC.
    time_zone = models.CharField(max_length=64, db_default="", default="", editable=False)
    # How they have pages shown (portal.display); empty is what the system has, or the browser.
    theme = models.CharField(max_length=8, db_default="", default="", editable=False)
    chosen_zone = models.CharField(max_length=64, db_default="", default="", editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = "person"
        verbose_name_plural = "people"
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_once",
                violation_error_message="A person with this e-mail address exists.",
            )
        ]

    def __str__(self) -> str:
        return self.email

    @classmethod
    def normalize_username(cls, username: str) -> str:
        """Addresses are kept in one spelling; Django calls this for every form."""
        return mailbox.folded(username)

    def get_session_auth_hash(self) -> str:
        return self._of_epoch(super().get_session_auth_hash())

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        return map(self._of_epoch, super().get_session_auth_fallback_hash())

    def _of_epoch(self, session_hash: str) -> str:
        """What a session must hold to be this person's; in the first epoch it is Django's own."""
        return f"{session_hash}.{self.session_epoch}" if self.session_epoch else session_hash

    @property
    def is_staff(self) -> bool:
        """Whether Django's admin opens: to admins alone."""
        return self.is_admin

    def has_perm(self, perm: str, obj: object = None) -> bool:  # noqa: ARG002 (Django's signature)
        """For Django's admin: what is the portal's own is for admins, and portal.admin says how.

        What libraries register there is not: with django-allauth's addresses, an admin could have
        another person's password reset.
        """
        return self.is_active and self.is_admin and perm.startswith("portal.")

    def has_module_perms(self, app_label: str) -> bool:
        return self.has_perm(f"{app_label}.")

    def get_full_name(self) -> str:
        return self.name or self.email


class OnLeaving(models.TextChoices):
    """What becomes of the live tokens of who leaves a team."""

    KEEP = "keep", "they stand on the lead's desk"
    REVOKE = "revoke", "they are revoked"


class Team(models.Model):
    """A group of people who share grants. A closed team keeps its history and its live tokens."""

    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=120)
    closed_at = models.DateTimeField(null=True, blank=True)
    idp_groups = models.JSONField("groups whose people are members", default=list, blank=True)
    lead_idp_groups = models.JSONField("groups whose people are leads", default=list, blank=True)
    on_leaving = models.CharField(
        "live tokens of who leaves",
        max_length=8,
        choices=OnLeaving,
        default=OnLeaving.KEEP,
        db_default=OnLeaving.KEEP,
    )
    # Each renewal of the calendar's link is one more; the link's key is made of it.
    calendar_renewals = models.PositiveIntegerField(db_default=0, default=0, editable=False)
    # Days before an end at which its mails go out, as "14,3"; empty is the setting's.
    notice_days = models.CharField(max_length=40, blank=True, db_default="", editable=False)
    members = models.ManyToManyField(User, through="Membership", related_name="teams")

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class Right(models.TextChoices):
    """What a person may be to the whole portal."""

    ADMIN = "admin", "admin"
    AUDITOR = "auditor", "auditor"


class GroupRight(models.Model):
    """That the people of a group of single sign-on have a right."""

    group = models.CharField(max_length=200)
    right = models.CharField(max_length=8, choices=Right)

    class Meta:
        ordering = ["right", "pk"]
        constraints = [models.UniqueConstraint(fields=["right", "group"], name="group_right_once")]

    def __str__(self) -> str:
        return f"{self.group} makes {self.get_right_display()}"


class Role(models.TextChoices):
    """What a person is to a team."""

    MEMBER = "member", "member"
    LEAD = "lead", "team lead"


class NamedRole(models.TextChoices):
    """What the access file or an admin says of a member, whose groups may say more."""

    ROLE = "role", "what the role says"
    MEMBER = "member", "member"
    NOBODY = "nobody", "nothing"


class Membership(models.Model):
    """That a person belongs to a team, and as what.

    ``role`` is what holds: the higher of what somebody has named them, and what their groups make
    of them. ``named_role`` is what stays when the groups go.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role, default=Role.MEMBER)
    named_role = models.CharField(
        max_length=8,
        choices=NamedRole,
        default=NamedRole.ROLE,
        db_default=NamedRole.ROLE,
        editable=False,
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "team"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} is {self.get_role_display()} of {self.team}"

    @property
    def named(self) -> Role | None:
        """As what the access file or an admin has named the person; None: their groups alone."""
        if self.named_role == NamedRole.NOBODY:
            return None
        return Role(self.role) if self.named_role == NamedRole.ROLE else Role.MEMBER
