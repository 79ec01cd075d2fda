"""The statements of the decisions on sends. Called by judge, gathering and the operators' backtests."""
