"""Request and response models of the HTTP interface, one file per resource."""
