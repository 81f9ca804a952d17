# Prints what the Docker Engine of the machine says of itself, a line for each thing. Nothing of a
# container's environment or command is read: they may hold secrets of others. What is inspected may
# be gone by then, so that only the lists tell whether the engine still answers; two of them come
# last, or what it did not say would count as not there.
unset DOCKER_HOST DOCKER_CONTEXT
if command -v docker-compose >/dev/null 2>&1 && [ ! -L "$(command -v docker-compose)" ]; then echo 'old yes'; fi
if ! command -v docker >/dev/null 2>&1; then
  echo 'missing yes'
  exit 0
fi
if ! v=$(docker version --format '{{.Server.Version}}' 2>&1); then
  printf 'problem %s\n' "$v"
  exit 0
fi
printf 'engine %s\n' "$v"
v=$(docker compose version --short 2>/dev/null) && printf 'compose %s\n' "$v"
gone() {
  echo 'problem it stopped answering while it was asked'
  exit 0
}
ids=$(docker ps -aq --no-trunc) || gone
volumes=$(docker volume ls -q) || gone
# Of containers that are of no compose project, only what no other can have beside them is told: where
# Kubernetes runs on the engine, there are hundreds.
ours='{{if index .Config.Labels "com.docker.compose.project"}}'
container='container {"id":{{json .ID}},"name":{{json .Name}},"image":{{json .Image}}'
container="$container$ours"',"labels":{{json .Config.Labels}},"mounts":{{json .Mounts}}{{end}}'
container="$container"',"status":{{json .State.Status}},"exit":{{json .State.ExitCode}},"created":{{json .Created}}'
container="$container"',"started":{{json .State.StartedAt}}'
container="$container"',"health":{{if .State.Health}}{{json .State.Health.Status}}{{else}}""{{end}}'
container="$container"',"restart":{{json .HostConfig.RestartPolicy.Name}},"network":{{json .HostConfig.NetworkMode}}'
container="$container"',"pid":{{json .HostConfig.PidMode}},"ipc":{{json .HostConfig.IpcMode}}'
container="$container"',"attached":{{json .NetworkSettings.Networks}},"ports":{{json .NetworkSettings.Ports}}'
container="$container"',"bindings":{{json .HostConfig.PortBindings}},"restarts":{{.RestartCount}}}'
printf '%s\n' "$ids" | xargs -r docker inspect --type container --format "$container" 2>/dev/null
volume='volume {"name":{{json .Name}},"driver":{{json .Driver}},"options":{{json .Options}},"labels":{{json .Labels}}}'
printf '%s\n' "$volumes" | xargs -r docker volume inspect --format "$volume" 2>/dev/null
docker image ls -a --no-trunc --digests --format 'image {{.Repository}} {{.Tag}} {{.Digest}} {{.ID}}' || gone
network='network {{.Name}} {{.ID}} {{.Label "com.docker.compose.project"}} {{.Label "com.docker.compose.network"}}'
network="$network"' {{.Label "lab.config"}}'
docker network ls --no-trunc --format "$network" || gone
echo end
