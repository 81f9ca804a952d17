# Removes a network of a stack, so that it can be recreated. The stack's containers in it stop and
# are recreated after it, each from the one that was there, with its anonymous volumes.
: "${project:?}" "${network:?}"
for i in $(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$project" \
  --filter label=com.docker.compose.oneoff=False --filter "network=$network"); do
  docker stop "$i" >/dev/null && docker network disconnect -f -- "$network" "$i"
done
docker network rm -- "$network" >/dev/null
