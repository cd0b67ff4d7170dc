// Reads a Parquet file with the Rust reader and writes what it saw as an Arrow IPC stream.
// usage: node parquet_wasm.mjs FILE OUT
import { readFileSync, writeFileSync } from 'node:fs'
import { readParquet } from 'parquet-wasm'

writeFileSync(process.argv[3], readParquet(new Uint8Array(readFileSync(process.argv[2]))).intoIPCStream())
