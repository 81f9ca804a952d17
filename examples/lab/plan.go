package main

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

// outline returns the plans of the stages as people review them: what is to be done for several stages
// is done by the first, and those that wait are missing.
func outline(results []pipeline.Result) *lab.Outline {
	o := &lab.Outline{}
	for _, s := range results {
		o.Add(s.Stage, s.Plan)
		if s.Waits != "" || s.Plan == nil && s.Err != nil {
			o.Missing = append(o.Missing, lab.MissingStage{Stage: s.Stage, Waits: s.Waits})
		}
	}
	return o
}

// plan shows what would be done, and writes it into the file unless that has no name.
func (r *runner) plan(ctx context.Context, file string) error {
	results, err := r.stages.Plan(ctx)
	r.show(results)
	o := outline(results)
	if file != "" && err == nil {
		err = writePlan(file, o)
	}
	r.summary(results, -1, err)
	if err == nil && len(o.Changes()) > 0 {
		return cli.ErrPending
	}
	return err
}

// show prints the plans of the stages.
func (r *runner) show(results []pipeline.Result) {
	r.out.Outline(outline(results), r.brief)
	for _, s := range results {
		if s.LeftOut != "" {
			r.out.Printf("%s\n%s\n", s.Stage, note(s))
		}
	}
}

// writePlan writes what is to be reviewed.
func writePlan(file string, o *lab.Outline) error {
	data, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	// what a plan shows of a machine is nobody else's business
	return cli.WriteFile(file, append(data, '\n'), 0o600)
}

// showCommand is the command show, which prints a plan file.
func showCommand() *cobra.Command {
	var brief bool
	cmd := &cobra.Command{Use: "show PLAN.json", Short: "print a plan file as the plan itself", Args: cli.Words(1, 1),
		RunE: func(cmd *cobra.Command, words []string) error {
			out, err := cli.PrinterOf(cmd, say)
			if err != nil {
				return err
			}
			return out.Show(words[0], brief)
		}}
	cmd.Flags().BoolVar(&brief, "summary", false, "in its short form: without causes and diffs")
	return cmd
}

// next returns the command that comes next, "" when there is none: how a run ended, and that of an
// apply what is left to be done, is in err and failed.
func (r *runner) next(pending int, err error) string {
	switch {
	case err != nil && r.verb == "apply" && !r.sandbox:
		return "fix what failed, then run it again: it continues from here"
	case err != nil:
		return ""
	case r.verb == "plan" && pending > 0 && r.call.out != "":
		return r.command("apply", "--plan", r.call.out)
	case r.verb == "plan" && pending > 0:
		return r.command("apply")
	case r.verb == "apply" && r.config == "" && r.sandbox:
		return "lab init USER@ADDRESS..., for machines of your own"
	case r.verb == "apply":
		return r.command("status")
	}
	return ""
}

// command returns a command about the same config and the same part of it.
func (r *runner) command(verb string, args ...string) string {
	words := []string{"lab", verb}
	flag := func(name, value string) {
		if value != "" {
			words = append(words, "--"+name, ssh.Quote(value))
		}
	}
	flag("config", r.config)
	if r.sandbox {
		words = append(words, "--sandbox")
	}
	if verb == "apply" && r.lab.Environment != sandboxName && !r.sandbox {
		flag("env", r.lab.Environment)
	}
	flag("limit", r.limit)
	for _, glob := range r.only {
		flag("only", glob)
	}
	for i := 0; i+1 < len(args); i += 2 {
		flag(strings.TrimPrefix(args[i], "--"), args[i+1])
	}
	return strings.Join(words, " ")
}
