# Prints the secrets of a stack in base64, a line "secret ..." each, a line "logs", and the last lines of
# its containers.
: "${dir:?}" "${project:?}" "${lines:?}"
for f in "$dir"/secrets/*; do
  [ ! -f "$f" ] || {
    printf 'secret '
    base64 -w 0 -- "$f"
    echo
  }
done
echo logs
all=$(docker ps -a --no-trunc --filter "label=com.docker.compose.project=$project" \
  --format '{{.ID}} {{.Names}} {{.Status}}') || exit
[ -z "$all" ] || printf '%s\n' "$all" | while read -r id rest; do
  printf '== %s\n' "$rest"
  last_log "$id" "$lines"
done
