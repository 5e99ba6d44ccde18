"""Other engines beside moabench. moabench starts each as a process and speaks to it in JSON lines (src/peers/protocol.ts)."""
