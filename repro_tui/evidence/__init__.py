"""Evidence of an audit for others: the hashes of its files, a signed statement, bills of materials."""
