"""What people look at: alarms, dashboards, saved queries, metrics, and the link to the hub."""
