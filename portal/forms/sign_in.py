"""django-allauth's forms that ask for an address, by the portal's one rule for addresses."""

from typing import Any

from allauth.account import fields, forms
from django import forms as django_forms
from django.core.exceptions import ValidationError

from portal.mailbox import NotAnAddressError, canonical
from portal.models import User


class AddressField(fields.EmailField):
    """A person's address, however it is spelled; its clean value is as their record has it."""

    default_validators: list[Any] = []

    def clean(self, value: Any) -> str:
        # Not its parent's: a letter that folds to an ASCII one would not be seen any more.
        typed = django_forms.EmailField.clean(self, value)
        try:
            found = canonical(typed)
        except NotAnAddressError as error:
            raise ValidationError(f"This {error}.") from None
        # Only where a domain has two spellings may a record of before have the other one.
        person = User.objects.by_address(found) if "xn--" in found else None
        return person.email if person else found


class LoginForm(forms.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = AddressField()
