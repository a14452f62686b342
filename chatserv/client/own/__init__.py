"""One's own devices: the room in which they talk, and what they tell each other there."""
