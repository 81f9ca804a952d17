# Changes services of a stack: start SERVICE FLAG..., restart SERVICE, settle SERVICE ENDS, which waits
# until it is healthy, and still SERVICE ENDS, which only waits when it has ended since.
: "${project:?}" "${dir:?}" "${seconds:?}" "${steady_seconds:?}" "${log_lines:?}" "${meta:?}" "${files?}" "${moved?}" "${stage:?}"
file=$dir/compose.yaml
previous=$dir/.prev
fresh='' # 0 when the containers were started by this script, and not yet again by the engine
again=''
# compose WORD... runs docker compose on the stack as it lies on the machine.
compose() { docker compose --progress quiet -p "$project" --project-directory "$dir" -f "$file" --env-file /dev/null "$@"; }
# ids SERVICE prints the service's containers.
ids() {
  docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False
}
# uptime prints a clock that nobody sets: one that is set while one waits, as after a power cut,
# must not matter.
uptime() { IFS=. read -r s _ </proc/uptime && echo "$s"; }
state='{{.State.Status}} {{.State.ExitCode}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}'
state="$state"' {{.State.StartedAt}} {{.RestartCount}}'
# healthy SERVICE SECONDS ENDS waits until all containers of the service are healthy, or have run
# for some seconds on end when they have no health check, or have ended well when ENDS is 1; when it
# is 2, they must have. Otherwise it shows the last lines of their logs and says what is wrong.
healthy() {
  t=$(($(uptime) + $2)) before='' first=$fresh steady=0
  while :; do
    wrong='' wait='' now='' bad='' unchecked='' restarts=0
    for i in $(ids "$1"); do
      l=$(docker inspect --type container --format "$state" "$i" 2>/dev/null) || l='gone 0 none - 0'
      now="$now $i $l"
      # shellcheck disable=SC2086 # its words: 4 the status, 5 the exit status, 6 the health, 8 the
      # restarts
      set -- "$1" "$2" "$3" $l
      case "$4 $6" in
      'running unhealthy') wrong='is unhealthy' bad=$i ;;
      'running healthy' | 'running none')
        if [ "$3" = 2 ]; then wait='has not ended' bad=$i; elif [ "$6" = none ]; then unchecked=1; fi
        ;;
      exited*)
        if [ "$5" != 0 ]; then wrong="has ended with status $5" bad=$i; elif [ "$3" = 0 ]; then wrong='has ended' bad=$i; fi
        ;;
      dead* | gone*) wrong="is $4" bad=$i ;;
      *) wait="is $4, health $6" bad=$i ;;
      esac
      restarts=$((restarts + ${8:-0})) one=${bad:-$i}
    done
    first=${first:-$restarts}
    if [ $((restarts - first)) -ge 3 ]; then wrong='is in a restart loop' bad=$one; fi
    [ -n "$now" ] || wrong='has no container'
    if [ -n "$again" ] && [ "$restarts" = 0 ]; then unchecked=''; fi
    if [ "$now" = "$before" ]; then steady=$((steady + 1)); else steady=0; fi
    if [ -z "$wrong$wait" ] && { [ -z "$unchecked" ] || [ "$steady" -ge "$steady_seconds" ]; }; then return 0; fi
    if [ -n "$wait" ] && [ -z "$wrong" ] && [ "$(uptime)" -ge "$t" ]; then wrong="is not healthy after $2 s: it $wait"; fi
    if [ -n "$wrong" ]; then
      [ -z "$bad" ] || last_log "$bad" "$log_lines"
      echo "service $1 $wrong"
      return 1
    fi
    before=$now
    sleep 1
  done
}
# format FILE prints the data format of a compose.yaml of ours.
format() { sed -n "/^$meta:/,/^[^ ]/s/^  format: //p" "$1"; }
# back SECONDS puts the former stack in the place of this one, unless the data may not fit it any
# more, and says what that rolls back.
back() {
  fresh='' again=''
  if ! docker version >/dev/null 2>&1; then
    echo 'the engine does not answer: nothing is rolled back'
    return
  fi
  if [ ! -f "$previous/compose.yaml" ]; then
    echo 'there is no former stack to go back to'
    return
  fi
  if cmp -s "$previous/compose.yaml" "$file"; then
    echo 'it is the stack that was healthy before: there is nothing else to go back to'
    return
  fi
  if [ "$(format "$previous/compose.yaml")" != "$(format "$file")" ]; then
    echo 'not rolled back: the data may be of the new format already;' \
      'fix the new version, or restore a backup with the former one'
    return
  fi
  rm -rf -- "$stage"
  mkdir -m 0700 -- "$stage"
  (cd "$previous" && find . -type f) | while IFS= read -r f; do
    cp -p -- "$previous/$f" "$stage/file" && mv -fT -- "$stage/file" "$dir/$f"
  done
  rm -rf -- "$stage"
  printf '%s' "$files" | while IFS= read -r f; do [ -e "$previous/$f" ] || rm -f -- "$dir/$f"; done
  files_rolled_back
  for m in $moved; do
    # shellcheck disable=SC2046 # a word each
    stop_each $(ids "$m") && rename_each $(ids "$m")
  done
  for m in $moved; do
    if compose config --services | grep -qxF -- "$m"; then
      compose up -d --no-deps --no-build --pull never --force-recreate -- "$m" || :
    fi
  done
  if ! compose up -d --no-build --pull never --remove-orphans; then
    echo 'the former stack could not be started either'
    return
  fi
  ops_rolled_back
  for i in $(compose config --services); do
    [ -n "$(ids "$i")" ] || continue # its scale is 0: otherwise up would have failed
    said=$(healthy "$i" "$1" 1) || {
      echo "$said" | tail -n 1 # without its log: its secrets are not known here
      echo 'rolled back, and the former stack is not healthy either'
      return
    }
  done
  echo 'rolled back: the former stack runs'
}
# start SERVICE FLAG... makes or starts the containers of the service. Errors of it, such as a port
# that is taken, are as good a reason to go back as a service that is not healthy.
start() {
  service=$1
  shift
  case $* in *--no-recreate*) ;; *) fresh=0 ;; esac
  compose up -d --no-deps --no-build --pull never "$@" -- "$service" || {
    echo "service $service could not be started"
    back "$seconds"
    exit 1
  }
}
restart() {
  for i in $(ids "$1"); do docker unpause "$i" >/dev/null 2>&1 || :; done
  compose restart --no-deps -- "$1"
  fresh=0
}
settle() {
  healthy "$1" "$seconds" "$2" || {
    back "$seconds"
    exit 1
  }
}
still() {
  again=1
  settle "$@"
}
