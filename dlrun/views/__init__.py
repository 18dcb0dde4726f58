"""What people see of a plan or of the language."""
