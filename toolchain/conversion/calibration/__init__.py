"""What is known of a policy before a neuron is chosen: its states and what they say."""
