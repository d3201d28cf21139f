"""How people get in: django-allauth's pages, as the portal wants them."""
