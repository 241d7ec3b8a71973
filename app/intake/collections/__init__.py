"""What collectors hand over: manifests, folders of tools, proofs; read here, deposited elsewhere."""
