"""The few modules that torch lacks, and the one place where private names of torch are used."""
