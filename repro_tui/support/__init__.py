"""What every stage needs: processes, cancellation, the cache, safe text, redaction and the registry of plug-ins."""
