"""The protocols of served models: one file per protocol, and the conversation that all of them share."""
