"""The few modules that torch lacks."""
