"""The distributed hash table without input and output: `records`, `slots` of a storer, the `table` of contacts, the `lookup`."""
