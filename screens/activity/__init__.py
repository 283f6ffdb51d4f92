"""What somebody changed: activity log and journal."""
