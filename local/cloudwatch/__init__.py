"""What CloudWatch makes of metrics and log lines, as far as this project needs it."""
