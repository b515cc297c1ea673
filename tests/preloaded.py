"""What every command may import, imported once in the process that commands are forked from."""

# ruff: noqa: F401
import confluent_kafka.admin

import learners
import stream.cli
import stream.commands.bisecting
import stream.commands.caring
import stream.commands.feeding
import stream.commands.learning
import stream.commands.moving
import stream.commands.quarantining
import stream.commands.rebuilding
import stream.commands.runs
import stream.commands.showing
import stream.commands.status
import stream.consumer
import stream.kafka
