"""Other engines beside moabench, each a process that it starts and speaks to in JSON lines (src/peers/protocol.ts)."""
