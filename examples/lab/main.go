// Command lab builds, keeps and looks after the whole lab.
//
//	lab                                  build the lab in a sandbox in this process, twice, and say what it cost
//	lab plan   [-config lab.yaml] ...    show what would be done; exit 2 when there is something
//	lab apply  [-config lab.yaml] ...    do it
//	lab status [-config lab.yaml]        what stands
//	lab config                           print the built-in config, to begin one's own with
//	lab schema                           the JSON schema of the config, for editors
//
// Without -config, everything happens in the sandbox. -limit and -only limit a run to machines and
// to changes, in every stage; what they leave out is taken to be right. Exit codes: 0 done or
// nothing to do, 2 changes pending, 3 blocked, 4 refused, 1 error, 130 interrupted.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

//go:embed schema.json
var schema string

func main() { cli.Main(run) }

// synopsis is how the program is called.
const synopsis = `usage: lab                 build the built-in lab in a sandbox in this process, twice
       lab plan [flags]    show what would be done; exit 2 when there is something
       lab apply [flags]   do it
       lab status [flags]  what stands
       lab config          print the built-in config, to begin one's own with
       lab schema          the JSON schema of the config, for editors

Flags: lab plan -h, lab apply -h, lab status -h. Exit codes: 0 done or nothing to do, 2 changes pending, 3 blocked, 4 refused, 1 error,
130 interrupted.
`

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	verb := "apply"
	if len(args) > 0 && (!strings.HasPrefix(args[0], "-") || cli.IsHelp(args[0])) {
		verb, args = args[0], args[1:]
	}
	switch {
	case cli.IsHelp(verb):
		_, err := io.WriteString(stdout, synopsis)
		return err
	case slices.Contains([]string{"plan", "apply", "status"}, verb):
	case verb == "config":
		_, err := stdout.Write(defaultConfig)
		return err
	case verb == "schema":
		_, err := io.WriteString(stdout, schema)
		return err
	default:
		return cli.Usage("%q: plan, apply, status, config or schema", verb)
	}
	c, err := parse(verb, args, stderr)
	if err != nil {
		return err
	}
	out, err := cli.NewPrinter(stdout, cli.Options{JSON: c.output == "json"})
	if err != nil {
		return err
	}
	r := runner{call: c, out: out, started: time.Now()}
	err = r.run(ctx)
	if !r.summed { // it ended before there was anything to sum up
		r.object(nil, -1, err)
	}
	return err
}

// call is what the command line asks for.
type call struct {
	verb, config, env, limit, reviewed, out, output string

	sandbox   bool
	only      []string
	confirmed []lab.Confirmation
}

// inSandbox reports whether nothing outside of this process is to be touched.
func (c call) inSandbox() bool { return c.sandbox || c.config == "" }

// parse reads the flags of a verb.
func parse(verb string, args []string, stderr io.Writer) (c call, err error) {
	flags := flag.NewFlagSet("lab "+verb, flag.ContinueOnError)
	flags.SetOutput(stderr)
	c.verb = verb
	var only, confirm cli.List
	flags.Func("config", "the lab's config `file`; without it, the built-in one, in the sandbox",
		func(file string) error {
			if c.config = file; file == "" {
				return errors.New("it is empty, which is no file")
			}
			return nil
		})
	flags.BoolVar(&c.sandbox, "sandbox", false, "build the config in the sandbox instead of for real")
	flags.StringVar(&c.env, "env", sandboxName,
		"the environment that may be changed, by its `name`; any other is refused")
	flags.StringVar(&c.limit, "limit", "",
		"only the machines that this `pattern` selects, and the databases on them: raspberries:&local:!gitea")
	flags.Var(&only, "only",
		"only changes whose ID matches this `glob`, as file:*, host/pi1/*, pg/erp/* (may be repeated)")
	switch verb {
	case "apply":
		flags.Var(&confirm, "confirm", "the `ID` of a change that may lose data, to confirm it (may be repeated)")
		flags.StringVar(&c.reviewed, "plan", "",
			"apply only what this reviewed plan `file` holds, written by plan -out")
	case "plan":
		flags.StringVar(&c.out, "out", "", "write the plan as JSON into this `file`")
	}
	flags.StringVar(&c.output, "output", "text", "text, or json: an object a line, the last one the summary")
	words, err := cli.Parse(flags, args)
	if err != nil {
		return c, err
	}
	if len(words) > 0 {
		return c, cli.Usage("%q is one word too many", words[0])
	}
	c.only = only
	for _, id := range confirm {
		c.confirmed = append(c.confirmed, lab.Confirm(id))
	}
	return c, nil
}
