"""A lively past for the demo: invented people do what real ones do, through the real services, on a set clock."""
