package compose

import (
	"fmt"
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// scripts writes what changes a stack.
type scripts struct {
	s     Stack
	files []string // IDs of the resources that are the stack's files
	ops   []string // those that are planned before, as [host.RolledBack] names them
}

func (s Stack) scripts() scripts {
	c := scripts{s: s}
	for _, f := range s.Files {
		c.files = append(c.files, f.resource(s.Dir, host.Order{}).ID())
	}
	c.files = append(c.files, formerFiles{stack: s}.ID(), host.File{Path: c.file(composeFile)}.ID())
	return c
}

// logLines is how many lines of its log a service that is not healthy shows.
const logLines = 20

// steadySeconds is how long a container without a health check must run without being started again. A line of a log that is cut loses its last word
// whole: half a secret would not be masked.
const steadySeconds = 5

// familiarName returns the name of an image as docker image ls shows it: without docker.io and library.
func familiarName(name string) string {
	slash := strings.LastIndexByte(name, '/')
	if i := strings.LastIndexByte(name, ':'); i > slash {
		name = name[:i]
	}
	name = strings.TrimPrefix(name, "docker.io/")
	return strings.TrimPrefix(name, "library/")
}

// head begins a script: nothing on the machine may lead docker elsewhere.
const head = "unset DOCKER_HOST DOCKER_CONTEXT COMPOSE_FILE COMPOSE_PROFILES COMPOSE_PROJECT_NAME\n"

func (c scripts) file(name string) string { return path.Join(c.s.Dir, name) }

// compose returns the beginning of a command on the stack, as it lies on the machine.
func (c scripts) compose() string {
	return fmt.Sprintf("docker compose --progress quiet -p %s --project-directory %s -f %s --env-file /dev/null", c.s.Name, ssh.Quote(c.s.Dir), ssh.Quote(c.file(composeFile)))
}

// pull brings an image. One that is in no registry must be there.
func (c scripts) pull(image, platform string) string {
	if id := imageID(image); id != "" {
		return head + fmt.Sprintf("docker image inspect --format 'the image is there: {{.ID}}' %s", ssh.Quote(id))
	}
	if platform != "" {
		platform = "--platform " + ssh.Quote(platform) + " "
	}
	return head + fmt.Sprintf("docker pull -q %s%s || { echo %s; exit 1; }", platform, ssh.Quote(image), ssh.Quote("the image "+image+" cannot be pulled; what runs is left alone"))
}

// waitPreamble defines
//
//   - ids SERVICE, the service's containers;
//   - healthy SERVICE SECONDS ENDS, which waits until all containers of the service are healthy, or have run for 5 s on end when they have no
//     health check, or have ended well when ENDS is 1; when it is 2, they must have. Otherwise it shows the last lines of their logs and says
//     what is wrong;
//   - back, which puts the former stack in the place of this one, unless the data may not fit it any more, and says what that takes back.
const waitPreamble = `ids() { docker ps -aq --no-trunc --filter label=com.docker.compose.project=%[1]s --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False; }
uptime() { IFS=. read -r s _ </proc/uptime && echo "$s"; } # a clock that is set while one waits, as after a power cut, must not matter
healthy() {
  t=$(($(uptime) + $2)) before= first= steady=0
  while :; do
    wrong= wait= now= bad= unchecked= restarts=0
    for i in $(ids "$1"); do
      l=$(docker inspect --type container --format '{{.State.Status}} {{.State.ExitCode}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.State.StartedAt}} {{.RestartCount}}' "$i" 2>/dev/null) || l='gone 0 none - 0'
      now="$now $i $l"
      set -- "$1" "$2" "$3" $l
      case "$4 $6" in
      'running unhealthy') wrong='is unhealthy' bad=$i;;
      'running healthy'|'running none')
        if [ "$3" = 2 ]; then wait='has not ended' bad=$i; elif [ "$6" = none ]; then unchecked=1; fi;;
      exited*) if [ "$5" != 0 ]; then wrong="has ended with status $5" bad=$i; elif [ "$3" = 0 ]; then wrong='has ended' bad=$i; fi;;
      dead*|gone*) wrong="is $4" bad=$i;;
      *) wait="is $4, health $6" bad=$i;;
      esac
      restarts=$((restarts + ${8:-0})) one=${bad:-$i}
    done
    first=${first:-$restarts}
    if [ $((restarts - first)) -ge 3 ]; then wrong='ends again and again' bad=$one; fi
    [ -n "$now" ] || wrong='has no container'
    if [ "$now" = "$before" ]; then steady=$((steady + 1)); else steady=0; fi
    if [ -z "$wrong$wait" ] && { [ -z "$unchecked" ] || [ "$steady" -ge %[9]d ]; }; then return 0; fi
    if [ -n "$wait" ] && [ -z "$wrong" ] && [ "$(uptime)" -ge "$t" ]; then wrong="is not healthy after $2 s: it $wait"; fi
    if [ -n "$wrong" ]; then
      [ -z "$bad" ] || docker logs --tail %[2]d "$bad" 2>&1 | awk 'length($0) > 300 { $0 = substr($0, 1, 300); sub(/[^ \t]*$/, "...") } { print }'
      echo "service $1 $wrong"
      return 1
    fi
    before=$now
    sleep 1
  done
}
back() {
  p=%[3]s
  if ! docker version >/dev/null 2>&1; then echo 'the engine does not answer: nothing is rolled back'; return; fi
  if [ ! -f "$p/compose.yaml" ]; then echo 'there is no former stack to go back to'; return; fi
  if cmp -s "$p/compose.yaml" %[4]s; then echo 'it is the stack that was healthy before: there is nothing else to go back to'; return; fi
  if [ "$(sed -n '/^%[10]s:/,/^[^ ]/s/^  format: //p' "$p/compose.yaml")" != "$(sed -n '/^%[10]s:/,/^[^ ]/s/^  format: //p' %[4]s)" ]; then
    echo 'not rolled back: the data may be of the new format already; mend the new version, or restore a backup with the former one'; return
  fi
  (cd "$p" && find . -type f) | while IFS= read -r f; do
    cp -p -- "$p/$f" %[5]s/"$f.lab-back" && mv -f -- %[5]s/"$f.lab-back" %[5]s/"$f"
  done
  for f in %[11]s; do [ -e "$p/$f" ] || rm -f -- %[5]s/"$f"; done
  %[7]s
  if ! %[6]s up -d --no-build --pull never --remove-orphans; then echo 'the former stack could not be started either'; return; fi
  %[8]s
  for i in $(%[6]s config --services); do
    [ -n "$(ids "$i")" ] || continue # its scale is 0: up would have failed else
    said=$(healthy "$i" "$1" 1) || { echo "$said" | tail -n 1; echo 'rolled back, and the former stack is not healthy either'; return; } # without its log: its secrets are not known here
  done
  echo 'rolled back: the former stack runs'
}
`

func (c scripts) wait(s service) string {
	seconds := int(c.s.timeout().Seconds())
	ends := 0
	switch {
	case s.completes:
		ends = 2
	case s.ends:
		ends = 1
	}
	var names []string
	for _, f := range c.s.Files {
		if !f.IfAbsent {
			names = append(names, ssh.Quote(f.Path))
		}
	}
	previous := c.file(previousDir)
	pre := fmt.Sprintf(waitPreamble, c.s.Name, logLines, ssh.Quote(previous), ssh.Quote(c.file(composeFile)), ssh.Quote(c.s.Dir), c.compose(),
		host.RolledBack(c.files...), host.RolledBack(c.ops...), steadySeconds, metaKey, strings.Join(names, " "))
	return head + pre + fmt.Sprintf("healthy %s %d %d || { back %d; exit 1; }", ssh.Quote(s.name), seconds, ends, seconds)
}

// up makes or starts the containers of a service, and waits.
func (c scripts) up(s service, how string) string {
	if how != "" {
		how = " " + how
	}
	// Errors of up itself, such as a port that is taken, are as good a reason to go back as a service that is not healthy.
	wait := c.wait(s)
	last := strings.LastIndexByte(wait, '\n') + 1
	return wait[:last] + fmt.Sprintf("if %s up -d --no-deps --no-build --pull never%s -- %s; then :; else echo %s; back %d; exit 1; fi\n", c.compose(), how, ssh.Quote(s.name),
		ssh.Quote("service "+s.name+" could not be started"), int(c.s.timeout().Seconds())) + wait[last:]
}

func (c scripts) restart(s service) string {
	wait := c.wait(s)
	last := strings.LastIndexByte(wait, '\n') + 1
	name := ssh.Quote(s.name)
	return wait[:last] + fmt.Sprintf("for i in $(ids %s); do docker unpause \"$i\" >/dev/null 2>&1 || :; done\n%s restart --no-deps -- %s\n", name, c.compose(), name) + wait[last:]
}

// removeHalves removes containers that a recreation was cut off before it renamed them. That which they were to replace is kept: what is in its anonymous
// volumes goes to the next.
func (c scripts) removeHalves(ids []string) string {
	words := strings.Join(ids, " ")
	return fmt.Sprintf("docker stop %s >/dev/null\ndocker rm %s >/dev/null\n", words, words)
}

// remove removes the containers of a service that the compose.yaml need not know.
func (c scripts) remove(name string) string {
	return head + fmt.Sprintf(`ids=$(docker ps -aq --no-trunc --filter label=com.docker.compose.project=%s --filter label=com.docker.compose.service=%s --filter label=com.docker.compose.oneoff=False)
[ -z "$ids" ] || { docker stop $ids >/dev/null; docker rm $ids >/dev/null; }`, c.s.Name, ssh.Quote(name))
}

// removeNetwork removes a network, so that it can be made anew. The stack's containers in it stop and are made anew after it, each from the one that was
// there, with its anonymous volumes.
func (c scripts) removeNetwork(name string) string {
	return head + fmt.Sprintf(`for i in $(docker ps -aq --no-trunc --filter label=com.docker.compose.project=%[1]s --filter label=com.docker.compose.oneoff=False --filter network=%[2]s); do
  docker stop "$i" >/dev/null && docker network disconnect -f -- %[2]s "$i"
done
docker network rm -- %[2]s >/dev/null`, c.s.Name, ssh.Quote(name))
}

// keep stores the files of the stack as those of the last that was healthy. It is complete or not there.
func (c scripts) keep() string {
	var b strings.Builder
	b.WriteString(fmt.Sprintf("cd %s\nrm -rf -- %[2]s.new\nmkdir -m 0700 -- %[2]s.new\n", ssh.Quote(c.s.Dir), previousDir))
	dirs := map[string]bool{".": true}
	for _, f := range c.s.Files {
		if f.IfAbsent {
			continue
		}
		if d := path.Dir(f.Path); !dirs[d] {
			dirs[d] = true
			fmt.Fprintf(&b, "mkdir -p -- %s\n", ssh.Quote(previousDir+".new/"+d))
		}
		fmt.Fprintf(&b, "cp -p -- %s %s\n", ssh.Quote(f.Path), ssh.Quote(previousDir+".new/"+f.Path))
	}
	fmt.Fprintf(&b, "cp -p -- compose.yaml %[1]s.new/compose.yaml\nsync\nrm -rf -- %[1]s\nmv -T -- %[1]s.new %[1]s\nsync", previousDir)
	return b.String()
}

// validateScript checks a compose.yaml before it is moved in, where there is a docker to check it.
func (s Stack) validateScript() string {
	return fmt.Sprintf("! docker compose version >/dev/null 2>&1 || docker compose -p %s --project-directory %s -f %%s --env-file /dev/null config -q", s.Name, ssh.Quote(s.Dir))
}
