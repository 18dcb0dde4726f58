"""From a run to where runs are compared: MLflow."""
