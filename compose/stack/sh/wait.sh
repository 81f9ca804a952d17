: "${project:?}" "${service:?}" "${dir:?}" "${i:?}"
# wait_for COMMAND... runs a command once a second until it succeeds, for three minutes, and fails
# when it never did.
wait_for() {
  n=0
  until "$@"; do
    n=$((n + 1))
    [ "$n" -lt 180 ] || return 1
    sleep 1
  done
}
# healthy reports whether the health check of the container has seen that it is up.
healthy() { [ "$(docker inspect --type container --format '{{.State.Health.Status}}' "$i")" = healthy ]; }
# restart restarts the service.
restart() {
  docker compose --progress quiet -p "$project" --project-directory "$dir" -f "$dir/compose.yaml" --env-file /dev/null restart "$service"
}
wait_until_healthy() { wait_for healthy || { echo 'the server is not healthy after the restart'; exit 1; }; }
