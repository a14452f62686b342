"""What the IRC standards ask for, a scene each: our own case for each of irctest's that the gateway passes."""
