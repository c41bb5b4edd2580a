"""Deployments that MLflow's runs, models and registry record."""
