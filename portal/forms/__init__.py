"""What people send, checked field by field."""

from portal.forms.answers import (
    ApproveForm,
    CollectForm,
    DeclineForm,
    DenyForm,
    HandOverForm,
    NoticeForm,
    PlaceForm,
    ReissueForm,
    UsesForm,
)
from portal.forms.desk import DeskForm, EndForm, LeavingForm
from portal.forms.requests import TokenRequestForm

__all__ = [
    "ApproveForm",
    "CollectForm",
    "DeclineForm",
    "DenyForm",
    "DeskForm",
    "EndForm",
    "HandOverForm",
    "LeavingForm",
    "NoticeForm",
    "PlaceForm",
    "ReissueForm",
    "TokenRequestForm",
    "UsesForm",
]
