: "${i:?}"
# query SQL runs SQL in the server of the container. It goes over standard input: arguments are seen
# by everybody on the machine.
query() { printf '%s\n' "$1" | docker exec -i -u postgres "$i" psql -XAtq -F ' ' -v ON_ERROR_STOP=1 -U postgres -d postgres; }
