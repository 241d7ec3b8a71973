"""Write-once, content-addressed storage of originals and derivatives."""
