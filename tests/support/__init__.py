"""What tests are made with: a clock to turn, waiting with a deadline, real daemons."""
