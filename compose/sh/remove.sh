# Removes the containers of a service that the compose.yaml need not know.
: "${project:?}" "${service:?}"
ids=$(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$project" \
  --filter "label=com.docker.compose.service=$service" --filter label=com.docker.compose.oneoff=False)
# shellcheck disable=SC2086 # a word each
[ -z "$ids" ] || {
  docker stop $ids >/dev/null
  docker rm $ids >/dev/null
}
