"""What is inside a guilty factor: a file for each kind of thing that can be taken from B one by one."""
