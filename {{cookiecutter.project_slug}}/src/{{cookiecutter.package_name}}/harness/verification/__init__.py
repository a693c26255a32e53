"""Our implementation beside a reference: ``reference`` compares the two, ``weights`` says which weight is which."""
