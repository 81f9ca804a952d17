# last_log ID LINES prints the last lines of what a container printed. They are whole, since a part of
# a secret is not found when secrets are masked. The engine keeps a long line in parts of 16 KiB, each
# of which counts: what it shows first may be the end of one.
last_log() {
  docker logs --tail "$(($2 + 1))" "$1" 2>&1 | awk -v lines="$2" '
    { line[NR] = $0; if (length($0) >= 16000) parts = 1 }
    END {
      for (i = NR > lines || parts ? 2 : 1; i <= NR; i++)
        print (length(line[i]) > 4096 ? "(a line of " length(line[i]) " bytes: docker logs shows it)" : line[i])
    }'
}
