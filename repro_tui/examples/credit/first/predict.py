"""Scores credit applications: the probability of default, and the decision that follows from it."""

import argparse
import csv
import json

import numpy as np
import yaml_lite


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--params", default="params.yaml")
    parser.add_argument("--model", default="models/credit.json")
    return parser.parse_args()


def features(row):
    income = max(float(row["income"]), 1.0)
    return {
        "debt_ratio": float(row["debt"]) / income,
        "late_payments": float(row["late_payments"]),
        "employment_years": float(row["employment_years"]),
        "log_income": float(np.log(income)),
        "age": float(row["age"]),
    }


def probability(row, model):
    """The logistic score, accumulated in the model's own precision as the serving code does."""
    score = np.float32(model["intercept"])
    for name, value in features(row).items():
        scaled = (value - model["mean"][name]) / model["scale"][name]
        score = score + np.float32(model["weights"][name]) * scaled
    return 1.0 / (1.0 + np.exp(-score))


def decide(value, thresholds):
    if value >= thresholds["decline"]:
        return "decline"
    return "review" if value >= thresholds["review"] else "approve"


def main():
    arguments = read_arguments()
    thresholds = yaml_lite.load(arguments.params)["thresholds"]
    with open(arguments.model) as stream:
        model = json.load(stream)
    with open(arguments.input, newline="") as source, open(arguments.output, "w", newline="") as target:
        rows = csv.DictReader(source)
        out = csv.writer(target)
        out.writerow(["id", "probability", "decision"])
        for row in rows:
            value = probability(row, model)
            out.writerow([row["id"], repr(float(value)), decide(value, thresholds)])


if __name__ == "__main__":
    main()
