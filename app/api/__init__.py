"""The HTTP interface: routers, dependencies, problem documents."""
