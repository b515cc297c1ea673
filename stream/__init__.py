"""The consumer process, replay and the command line: feeds labeled events to learners, keeps what they learned."""
