"""Cases, items, blobs, derivatives and receipts: records over write-once bytes."""
