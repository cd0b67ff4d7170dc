#!/usr/bin/env bash
# ./dev bench [NAME]: the figures of the README, each with its peer in the same run.
set -euo pipefail
cd "$(dirname "$0")/.."
B=build/bench
R=$B/rivet
echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), load $(cut -d' ' -f1-3 /proc/loadavg)"
one() {
  case "$1" in
    sqlite|startup|memory|size|validate) python3 bench/figures.py "$1" --rivet "$R" --bin "$B/bench" ;;
    encode) python3 bench/encode_peers.py "$B/bench/bench_encode" ;;
    wide) for c in 30 3000; do "$B/bench/bench_encode" --rows $((60000000 / c)) --columns "$c" --text 0; done ;;
    postgres) shift; python3 bench/postgres_peers.py "$@" --rivet "$R" ;;
    mysql) shift; python3 bench/mysql_peers.py "$@" --rivet "$R" --drain "$B/bench/mysql_drain" ;;
    chunks) shift; python3 bench/chunks.py "$@" --rivet "$R" ;;
    upload) shift; python3 bench/upload.py "$@" --rivet "$R" --sink "$B/bench/s3_sink" ;;
    builder) "$B/bench/bench_builder" ;;
    *) echo "no such figure: $1 (size startup sqlite memory encode wide builder postgres mysql chunks validate upload)"; exit 2 ;;
  esac
}
if [ $# -gt 0 ]; then one "$@"; else for n in size startup sqlite memory encode wide builder; do echo "== $n"; one "$n"; done; fi
