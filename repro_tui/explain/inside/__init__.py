"""What is inside a guilty factor: one file for each kind of item that can be taken from B one by one."""
