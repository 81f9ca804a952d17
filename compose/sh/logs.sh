# Prints the secrets of a stack in base64, an empty line, and the last lines of its containers.
: "${dir:?}" "${project:?}" "${lines:?}"
for f in "$dir"/secrets/*; do
  [ ! -f "$f" ] || {
    base64 -w 0 -- "$f"
    echo
  }
done
echo
all=$(docker ps -a --no-trunc --filter "label=com.docker.compose.project=$project" \
  --format '{{.ID}} {{.Names}} {{.Status}}') || exit
[ -z "$all" ] || printf '%s\n' "$all" | while read -r id rest; do
  printf '== %s\n' "$rest"
  docker logs --tail "$lines" "$id" 2>&1
done
