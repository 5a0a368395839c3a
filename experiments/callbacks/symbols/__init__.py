"""What is measured symbol by symbol: kinds of symbols apart, and phrases that come back."""
