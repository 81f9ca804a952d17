# The container of a service of a stack, which is in $i from here on. Without one that runs, the
# script ends with status 3.
: "${project:?}" "${service:?}"
unset DOCKER_HOST DOCKER_CONTEXT
command -v docker >/dev/null 2>&1 || exit 3
i=$(docker ps -q --no-trunc --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$service" \
  --filter label=com.docker.compose.oneoff=False --filter status=running 2>/dev/null)
[ -n "$i" ] || exit 3
