"""What leaves the portal for a team's own programs."""
