"""Which side is right, where the true answers are known, and whether recorded metrics can be reproduced."""
