/** Ends the process quietly once the reader of a stream is gone, as with `| head`; any other failure of the stream is thrown. */
export function endWhenPipeCloses(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
}
