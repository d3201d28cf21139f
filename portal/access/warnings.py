"""What an access file may say without its author's meaning it. Nothing here is a mistake."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from portal.access.entries import GrantEntry, PersonEntry, Problem, TeamEntry

MOST_DOMAINS = 50
"""Of more, nobody can tell which are typed wrongly."""
USUAL_DOMAIN = 4
"""So many times as often as another a domain stands that the other one may be mistyped for."""
CLOSE = 0.85


def warnings_about(people: Sequence[PersonEntry], teams: Sequence[TeamEntry]) -> Iterator[Problem]:
    """Each with the place of what it is about."""
    for team in teams:
        yield from _about_team(team)
    yield from _about_groups(teams)
    yield from _about_people(people, teams)
    yield from _about_domains(people, teams)


def _about_team(team: TeamEntry) -> Iterator[Problem]:
    if not (team.leads or team.members or team.idp_groups or team.lead_idp_groups):
        yield Problem(team.place, "nobody is in this team")
    elif not (team.leads or team.lead_idp_groups):
        text = "nobody leads this team: admins answer its requests and see to its tokens"
        yield Problem(team.place, text)
    if not team.grants:
        yield Problem(team.place, "this team has no grant: its people can request nothing")
    for group in set(team.idp_groups) & set(team.lead_idp_groups):
        text = f"the group {group} is in idp_groups and in lead_idp_groups: it makes leads"
        yield Problem(team.place, text)
    for grant in team.grants:
        yield from _about_grant(grant)


def _about_grant(grant: GrantEntry) -> Iterator[Problem]:
    most, each = grant.max_live, grant.max_live_per_person
    if most == 0 or each == 0:
        yield Problem(grant.place, "with a limit of 0 live tokens nobody can request one")
    elif most is not None and each is not None and each > most:
        text = f"max_live_per_person {each} is never reached: max_live is {most}"
        yield Problem(grant.place, text)


def _about_groups(teams: Sequence[TeamEntry]) -> Iterator[Problem]:
    named: defaultdict[str, list[TeamEntry]] = defaultdict(list)
    for team in teams:
        for group in {*team.idp_groups, *team.lead_idp_groups}:
            named[group].append(team)
    for group, several in sorted(named.items()):
        if len(several) > 1:
            slugs = ", ".join(team.slug for team in several)
            text = f"the group {group} is named by several teams ({slugs}): it puts people in each"
            yield Problem(several[-1].place, text)


def _about_people(people: Sequence[PersonEntry], teams: Sequence[TeamEntry]) -> Iterator[Problem]:
    if any(team.idp_groups or team.lead_idp_groups for team in teams):
        return  # a group may put them in a team
    in_a_team = {email for team in teams for email in (*team.leads, *team.members)}
    for person in people:
        if person.email not in in_a_team and not (person.admin or person.auditor):
            text = f"{person.email} is in no team, and neither admin nor auditor"
            yield Problem(person.place, text)


def _about_domains(people: Sequence[PersonEntry], teams: Sequence[TeamEntry]) -> Iterator[Problem]:
    places = {email: team.place for team in teams for email in (*team.members, *team.leads)}
    places |= {person.email: person.place for person in people}
    counts = Counter(email.rpartition("@")[2] for email in places)
    if len(counts) > MOST_DOMAINS:
        return
    for email, place in places.items():
        domain = email.rpartition("@")[2]
        usual = [one for one, times in counts.items() if times >= USUAL_DOMAIN * counts[domain]]
        if close := get_close_matches(domain, usual, 1, CLOSE):
            yield Problem(place, f"{email}: is {close[0]} meant, as in other addresses?")
