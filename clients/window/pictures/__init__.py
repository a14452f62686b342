"""Pictures that others have sent: read in a child process alone, which answers with pixels."""
