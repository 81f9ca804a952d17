# Lets containers give up what only one can have: a port or an address by being stopped, a name by
# another one, ID_was_NAME. Compose names what is to replace a container ID_NAME meanwhile.
stop_each() {
  for i in "$@"; do docker stop "$i" >/dev/null || return; done
}
rename_each() {
  for i in "$@"; do
    n=$(docker inspect --type container --format '{{.Name}}' "$i") || return
    half=$(printf %.12s "$i")
    case $n in "/${half}_was_"*) continue ;; esac
    docker rename "$i" "${half}_was_${n#/}" || return
  done
}
