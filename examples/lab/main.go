// Command lab builds, keeps and looks after the whole lab.
//
//	lab                                  build the lab in a sandbox in this process, twice, and say what it cost
//	lab plan   [-config lab.yaml] ...    show what would be done; exit 2 when there is something
//	lab apply  [-config lab.yaml] ...    do it
//	lab status [-config lab.yaml]        what stands
//	lab config                           print the built-in config, to begin one's own with
//	lab schema                           the JSON schema of the config, for editors
//
// Without -config, everything happens in the sandbox. Exit codes: 0 done or nothing to do, 2 changes pending, 3 blocked, 4 refused, 1 error,
// 130 interrupted.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
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
	flags := flag.NewFlagSet("lab "+verb, flag.ContinueOnError)
	flags.SetOutput(stderr)
	c := call{verb: verb}
	var only, confirm cli.List
	flags.Func("config", "the lab's config `file`; without it, the built-in one, in the sandbox", func(file string) error {
		if c.config = file; file == "" {
			return errors.New("it is empty, which is no file")
		}
		return nil
	})
	flags.BoolVar(&c.sandbox, "sandbox", false, "build the config in the sandbox instead of for real")
	flags.StringVar(&c.env, "env", sandboxName, "the environment that may be changed, by its `name`; any other is refused")
	flags.StringVar(&c.limit, "limit", "", "only the machines that this `pattern` selects: raspberries:&local:!gitea")
	flags.Var(&only, "only", "only resources whose ID matches this `glob` (may be repeated)")
	switch verb {
	case "apply":
		flags.Var(&confirm, "confirm", "the `ID` of a change that may lose data, to confirm it (may be repeated)")
		flags.StringVar(&c.reviewed, "plan", "", "apply only what this reviewed plan `file` holds, written by plan -out")
	case "plan":
		flags.StringVar(&c.out, "out", "", "write the plan as JSON into this `file`")
	}
	output := flags.String("output", "text", "text, or json: an object a line, the last one the summary")
	words, err := cli.Parse(flags, args)
	if err != nil {
		return err
	}
	if len(words) > 0 {
		return cli.Usage("%q is one word too many", words[0])
	}
	out, err := cli.NewPrinter(stdout, *output)
	if err != nil {
		return err
	}
	r := runner{out: out, only: &selection{globs: only}, started: time.Now()}
	for _, id := range confirm {
		r.confirmed = append(r.confirmed, lab.Confirm(id))
	}
	err = r.run(ctx, c)
	if !r.summed { // it ended before there was anything to sum up
		r.object(nil, -1, err)
	}
	return err
}

// call is what the command line asks for.
type call struct {
	verb, config, env, limit, reviewed, out string
	sandbox                                 bool
}

func (r *runner) run(ctx context.Context, c call) (err error) {
	name, data := "lab.yaml", defaultConfig
	if c.config != "" {
		if data, err = os.ReadFile(c.config); err != nil {
			return &lab.Error{Op: "read config", Path: c.config, Hint: "begin one with: lab config", Err: err}
		}
		name = c.config
	}
	if r.lab, err = ReadConfig(name, data); err != nil {
		return err
	}
	if err := r.limit(c.limit); err != nil {
		return err
	}
	if c.reviewed != "" {
		if r.reviewed, err = cli.Reviewed(c.reviewed); err != nil {
			return err
		}
		r.hasReviewed = true
	}
	if r.inSandbox = c.sandbox || c.config == ""; r.inSandbox {
		box, err := newSandbox(r.lab)
		if err != nil {
			return err
		}
		defer box.Close() // it only frees what ends with the program
		r.machines = box.connect(r.lab)
		source, forget, err := r.lab.sandboxStacks(box)
		if err != nil {
			return err
		}
		defer forget() // what it leaves is in the system's folder for what is temporary
		r.source = source
		if r.lab.Postgres != nil {
			if r.database, err = r.lab.sandboxDatabase(ctx); err != nil {
				return err
			}
		}
	} else {
		if c.verb == "apply" && r.lab.Environment != c.env {
			return &lab.Error{Op: "apply", Target: name, Hint: "if you mean it: -env " + r.lab.Environment,
				Err: fmt.Errorf("%w: the config is of environment %q, and only %q may be changed", lab.ErrRefused, r.lab.Environment, c.env)}
		}
		if r.machines, err = r.lab.machines(); err != nil {
			return err
		}
		if r.source, err = r.lab.stackSource(); err != nil {
			return err
		}
		if r.database, err = r.lab.database(r.source); err != nil {
			return err
		}
	}
	if r.database != nil {
		defer r.database.close() // what it leaves ends with the program
	}
	defer host.Fleet{Machines: r.machines}.Close() // nothing is left to be said on them
	r.stages = r.lab.stages(r.machines, r.only)
	before := "01_system"
	if r.source != nil {
		r.stages = append(r.stages,
			r.lab.stackStage("02_setup", r.source, r.machines, r.only, r.lab.setup, before),
			r.lab.stackStage("03_cicd", r.source, r.machines, r.only, r.lab.runners, "02_setup"))
		before = "02_setup"
	}
	if r.database != nil && c.limit == "" && len(r.only.globs) == 0 {
		r.stages = append(r.stages, r.database.stage(before))
	}
	switch c.verb {
	case "plan":
		return r.plan(ctx, c.out)
	case "status":
		return r.status(ctx)
	}
	return r.apply(ctx)
}

// runner is one call of the program.
type runner struct {
	lab         *Lab
	machines    []*host.Machine
	database    *database    // nil when the lab has none
	source      *stackSource // nil when the lab has no stacks
	stages      Pipeline
	out         *cli.Printer
	only        *selection
	confirmed   []lab.Confirmation
	reviewed    []lab.Change
	hasReviewed bool
	inSandbox   bool
	summed      bool // the summary was printed
	started     time.Time
}

// limit keeps the machines that the pattern selects.
func (r *runner) limit(pattern string) error {
	if pattern == "" {
		return nil
	}
	chosen, err := r.lab.inventory.Select(pattern)
	if err != nil {
		return err
	}
	r.lab.Limited = slices.DeleteFunc(slices.Clone(r.lab.Hosts), func(h *inventory.Host) bool { return !slices.Contains(chosen, h) })
	if len(r.lab.Limited) == 0 {
		return &lab.Error{Op: "limit", Path: pattern, Hint: "name machines that are reached over SSH", Err: fmt.Errorf("%w: it selects none", lab.ErrNotFound)}
	}
	return nil
}

// failure joins what failed.
func (r *runner) failure(results []StageResult) error {
	return errors.Join(failure(results), r.only.missed(results))
}

func (r *runner) plan(ctx context.Context, file string) error {
	results := r.stages.Plan(ctx)
	var plans []*lab.Plan
	changes := 0
	for _, s := range results {
		r.out.Printf("%s\n", s.Stage)
		if s.Plan != nil {
			r.out.Plan(s.Plan)
			plans = append(plans, s.Plan)
			changes += len(s.Plan.Changes())
		}
		if s.Waits != "" {
			r.out.Printf("waits for %s\n", s.Waits)
		}
	}
	err := r.failure(results)
	if file != "" && err == nil {
		err = writePlan(file, plans)
	}
	r.summary(results, -1, err)
	if err == nil && changes > 0 {
		return cli.ErrPending
	}
	return err
}

// writePlan writes the plans of the stages as one. Stages share machines, and what is to be done for several of them is in it once: it is done by
// the first.
func writePlan(file string, plans []*lab.Plan) error {
	all := lab.Step{Name: "lab", Run: func(context.Context, *lab.Recorder) error { return nil }} // it is written, and never run
	seen := map[string]bool{}
	for _, p := range plans {
		for _, c := range p.Changes() {
			if !seen[c.ID] {
				all.Changes = append(all.Changes, c)
			}
			seen[c.ID] = true
		}
	}
	plan, err := lab.NewPlan(all)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return err
	}
	// what a plan shows of a machine is nobody else's business
	return os.WriteFile(file, append(data, '\n'), 0o600)
}

func (r *runner) apply(ctx context.Context) error {
	if r.inSandbox {
		r.out.Printf("Building %d machines in the sandbox; nothing outside of this process is touched.\n", len(r.machines))
		if r.database != nil {
			r.out.Printf("The apps' databases are in %s.\n", r.database.about)
		}
	}
	o := &lab.ApplyOptions{Events: r.out.Event, Confirmed: r.confirmed}
	results := r.stages.Apply(ctx, o, func(stage string, p *lab.Plan) error {
		r.out.Printf("\n%s: %s\n", stage, p.Summary())
		if r.out.JSON || !r.inSandbox {
			r.out.Plan(p)
		}
		if r.hasReviewed {
			return p.Within(r.reviewed)
		}
		return nil
	}, func(s StageResult) {
		if s.Report != nil {
			r.out.Report(s.Report)
		}
	})
	err := r.failure(results)
	second := -1
	if err == nil {
		second, err = r.second(ctx)
	}
	r.summary(results, second, err)
	return err
}

// second plans everything again: what was just applied must be empty.
func (r *runner) second(ctx context.Context) (int, error) {
	n := 0
	again := r.stages.Plan(ctx)
	for _, s := range again {
		if s.Plan != nil && !s.Plan.Empty() {
			n += len(s.Plan.Changes())
			r.out.Plan(s.Plan)
		}
	}
	if err := failure(again); err != nil {
		return n, err
	}
	if n > 0 {
		return n, &lab.Error{Op: "plan again", Hint: "see what changes it back, above", Err: fmt.Errorf("%w: a second run would make %d changes", lab.ErrDrift, n)}
	}
	return 0, nil
}
