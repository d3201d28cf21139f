"""What leaves the portal for a team's own programs: where it may go, how it is said and signed."""
