"""The YAML language: text -> nodes with places -> components -> an Experiment. It knows no single kind."""
