"""What a served model is asked in, and how: a file a protocol, and the conversation that all of them share."""
