"""Other engines beside moabench: each is a process that it starts and speaks to in JSON lines (src/peers/protocol.ts)."""
