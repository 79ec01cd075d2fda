"""What a send is weighed against: whose history, and the evidence in it. Pure."""
