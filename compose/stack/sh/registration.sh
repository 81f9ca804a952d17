# Prints whether the runner is registered, and whether the server has forgotten it.
: "${project:?}" "${file:?}"
t=
if [ -s "$file" ]; then
  echo registered
  t=$(stat -c %.Y -- "$file" 2>/dev/null)
fi
unset DOCKER_HOST DOCKER_CONTEXT
command -v docker >/dev/null 2>&1 || exit 0
i=$(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.service=runner \
  --filter label=com.docker.compose.oneoff=False 2>/dev/null | head -n 1)
[ -n "$i" ] || exit 0
[ -n "$t" ] || t=$(docker inspect --type container --format '{{.State.StartedAt}}' "$i" 2>/dev/null) || exit 0
said() { docker logs --since "$1" "$i" 2>&1 | grep -q 'unregistered runner'; }
if said "$t" && said 3m; then echo forgotten; fi
