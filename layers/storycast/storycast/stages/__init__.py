"""What each Task state does, one module per state. A stage knows the workflow and the ports, and no AWS."""
