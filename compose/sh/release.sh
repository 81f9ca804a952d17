# Lets containers give up what only one can have: a port or an address by being stopped, a name by
# another one. Compose names what it replaces likewise, and gives the next one its name.
stop_each() {
  for i in "$@"; do docker stop "$i" >/dev/null || return; done
}
rename_each() {
  for i in "$@"; do
    n=$(docker inspect --type container --format '{{.Name}}' "$i") || return
    half=$(printf %.12s "$i")
    case $n in "/${half}_"*) continue ;; esac
    docker rename "$i" "${half}_${n#/}" || return
  done
}
