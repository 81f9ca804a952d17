package composetest

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// usageError is a command that the engine does not know.
type usageError string

func (e usageError) Error() string { return "composetest: " + string(e) }

func unknown(args []string) error { return usageError(fmt.Sprintf("unknown command: docker %q", args)) }

// run is the program docker.
func (d *Docker) run(p *hosttest.Process) (code int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer func() {
		if v := recover(); v != nil {
			if _, ok := v.(cut); !ok {
				panic(v)
			}
			code = 137
		}
	}()
	d.wake()
	if d.stopped {
		fmt.Fprintln(p.Stderr(), "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?")
		return 1
	}
	if d.answers > 0 {
		d.answers--
		d.stopped = d.answers == 0
	}
	if p.UID() != 0 {
		fmt.Fprintln(p.Stderr(), "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock")
		return 1
	}
	code, err := d.command(p, p.Args[1:])
	if err != nil {
		fmt.Fprintln(p.Stderr(), err)
		return max(code, 1)
	}
	return code
}

func (d *Docker) command(p *hosttest.Process, args []string) (int, error) {
	if len(args) == 0 {
		return 1, unknown(args)
	}
	rest := args[1:]
	switch args[0] {
	case "version":
		if len(rest) == 0 {
			fmt.Fprintln(p.Stdout(), d.config.Version)
			return 0, nil
		}
		return 0, show(p.Stdout(), rest, "--format", "{{.Server.Version}}", d.config.Version)
	case "ps":
		return 0, d.ps(p.Stdout(), rest)
	case "inspect":
		return d.inspect(p, rest)
	case "image", "network", "volume":
		if len(rest) == 0 {
			break
		}
		return map[string]func(*hosttest.Process, string, []string) (int, error){
			"image": d.imageCommand, "network": d.networkCommand, "volume": d.volumeCommand,
		}[args[0]](p, rest[0], rest[1:])
	case "pull":
		return 0, d.pull(p, rest)
	case "stop", "rm", "unpause":
		return 0, d.control(p, args[0], rest)
	case "logs":
		return 0, d.logs(p, rest)
	case "rename":
		return 0, d.rename(p, rest)
	case "run":
		if len(rest) > 0 && rest[0] == "-d" {
			return 0, d.runAway(p, rest[1:])
		}
		return d.try(p, rest)
	case "exec":
		return d.exec(p, rest)
	case "compose":
		return d.compose(p, rest)
	}
	return 1, unknown(args)
}

// show answers a command that has just these words.
func show(w io.Writer, args []string, words ...string) error {
	want, answer := words[:len(words)-1], words[len(words)-1]
	if !slices.Equal(args, want) {
		return unknown(args)
	}
	_, err := fmt.Fprintln(w, answer)
	return err
}

// format writes a value as docker does with --format.
func format(w io.Writer, text string, v any) error {
	t, err := template.New("").Funcs(template.FuncMap{"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	}}).Parse(text)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := t.Execute(&b, v); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, b.String())
	return err
}
