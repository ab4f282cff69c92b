"""The network lab: members in network namespaces of their own, and a switch between them whose links can be shaped."""
