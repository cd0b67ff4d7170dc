// Prints every value of a Parquet file as hyparquet decodes it, physical types only: annotations
// are stripped first, because its logical conversions go through JavaScript numbers.
// usage: node hyparquet.mjs FILE  ->  {"rows":n,"schema":[...],"columns":{"name":[...]}}
import { readFileSync } from 'node:fs'
import { parquetMetadata, parquetRead } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

const bytes = readFileSync(process.argv[2])
const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
const metadata = parquetMetadata(file)
const schema = metadata.schema.slice(1).map(e => ({
  name: e.name,
  type: e.type,
  length: e.type_length ?? null,
  converted: e.converted_type ?? null,
  logical: e.logical_type?.type ?? null,
}))
for (const e of metadata.schema) {
  delete e.converted_type
  delete e.logical_type
}

const view = new DataView(new ArrayBuffer(8))
function plain(v, type) {
  if (v === null || v === undefined) return null
  if (type === 'DOUBLE' || type === 'FLOAT') {
    view.setFloat64(0, v)
    return view.getBigUint64(0).toString(16).padStart(16, '0')
  }
  if (v instanceof Uint8Array) return Buffer.from(v).toString('hex')
  if (typeof v === 'bigint' || typeof v === 'number') return v.toString()
  return v
}

const columns = Object.fromEntries(schema.map(e => [e.name, []]))
let rows = 0
await parquetRead({
  file,
  metadata,
  compressors,
  utf8: false,
  onComplete(data) {
    rows = data.length
    for (const row of data) schema.forEach((e, i) => columns[e.name].push(plain(row[i], e.type)))
  },
})
process.stdout.write(JSON.stringify({ rows, schema, columns }))
