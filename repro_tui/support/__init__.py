"""What every stage needs: processes, cancelling, the cache, clean text, redaction, the wire and the registry."""
