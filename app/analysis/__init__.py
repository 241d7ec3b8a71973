"""What a file testifies to: metadata, preview, in a sandboxed process."""
