package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/health"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

// doctorTimeout is how long the doctor waits for an object, unless the command line says otherwise.
const doctorTimeout = 15 * time.Second

// checkups are what the doctor examines. A layer adds its own here.
func (s *site) checkups() (all []pipeline.Checkup) {
	for _, m := range s.machines {
		all = append(all, machineCheckup(m))
	}
	return all
}

// machineCheckup examines a machine by itself, whatever runs on it.
func machineCheckup(m *host.Machine) pipeline.Checkup {
	return pipeline.Checkup{Target: m.Name(), Look: func(ctx context.Context, report func(lab.Finding)) {
		health.Look(ctx, m, report)
	}}
}

// doctorCommand is the command that examines.
func doctorCommand() *cobra.Command {
	cmd, c := command("doctor", "examine the machines, and say what to do about what is wrong")
	cmd.Long = `Examine the machines: whether they can be reached and changed, and whether they
are well. Nothing is changed. Each row has a verdict, and the next step if there
is one. The exit code is 1 if anything is bad; warnings are no error.`
	timeout := cmd.Flags().Duration("timeout", doctorTimeout, "how long to wait for a machine")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *timeout <= 0 {
			return cli.Usage("--timeout %s: more than nothing", *timeout)
		}
		out, err := cli.PrinterOf(cmd, say)
		if err != nil {
			return err
		}
		r := runner{call: *c, out: out, terminal: cli.TerminalOf(cmd), started: time.Now()}
		err = r.doctor(cmd.Context(), *timeout)
		r.object(nil, -1, err)
		return err
	}
	return cmd
}

// doctor examines what there is, and says what to do about what is wrong.
func (r *runner) doctor(ctx context.Context, timeout time.Duration) (err error) {
	if _, err := r.read(); err != nil {
		return err
	}
	if r.sandbox {
		r.site, err = r.lab.sandbox(ctx)
	} else { // what the stacks are made of is not needed, and may be missing
		r.site = &site{}
		r.site.machines, err = r.lab.machines()
		r.site.close = func() { host.Fleet{Machines: r.site.machines}.Close() }
	}
	if err != nil {
		return err
	}
	defer r.site.close()
	if err := r.unlock(ctx, r.site.machines); err != nil {
		return err
	}
	findings := pipeline.Examine(ctx, timeout, r.site.checkups()...)
	for i, f := range findings {
		findings[i] = f.Reword(say)
		r.out.Object(findings[i])
	}
	r.out.Printf("%s", diagnosis(findings))
	if ctx.Err() != nil {
		return &lab.Error{Op: "examine", Err: context.Cause(ctx)}
	}
	return ailing(findings)
}

// diagnosis returns the findings as a table of at most 80 columns, an object after the other, with the next
// step below each row that needs one.
func diagnosis(findings []lab.Finding) string {
	width := 0
	for _, f := range findings {
		width = max(width, len(f.Check))
	}
	margin := strings.Repeat(" ", len("  warning  ")) // of the next step, which has more room so that it can be copied
	indent := margin + strings.Repeat(" ", width+2)
	var b strings.Builder
	target := ""
	for i, f := range findings {
		if i == 0 || f.Target != target {
			if i > 0 {
				b.WriteByte('\n')
			}
			target = f.Target
			fmt.Fprintf(&b, "%s\n", lab.Printable(target))
		}
		head := fmt.Sprintf("  %-7s  %-*s  ", f.Verdict, width, f.Check)
		text := lab.PrintableText(f.Text, "")
		for n, line := range wrapLines(text, 80-len(indent)) {
			if n > 0 {
				head = indent
			}
			b.WriteString(strings.TrimRight(head+line, " ") + "\n")
		}
		if f.Hint != "" {
			for n, line := range wrapLines(lab.PrintableText(f.Hint, ""), 80-len(margin)-len("next: ")) {
				lead := "next: "
				if n > 0 {
					lead = "      "
				}
				b.WriteString(margin + lead + line + "\n")
			}
		}
	}
	if len(findings) == 0 {
		return "Nothing to examine.\n"
	}
	fmt.Fprintf(&b, "\n%s.\n", tally(findings))
	return b.String()
}

// tally counts findings by verdict: "3 examined: 1 bad, 2 warning, 36 ok".
func tally(findings []lab.Finding) string {
	var targets []string
	counts := map[lab.Verdict]int{}
	for _, f := range findings {
		counts[f.Verdict]++
		if !slices.Contains(targets, f.Target) {
			targets = append(targets, f.Target)
		}
	}
	var parts []string
	for _, v := range []lab.Verdict{lab.VerdictBad, lab.VerdictWarning, lab.VerdictUnknown, lab.VerdictOK} {
		if n := counts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	return fmt.Sprintf("%d examined: %s", len(targets), strings.Join(parts, ", "))
}

// ailing returns an error that names what is bad; nil if nothing is. Warnings are no error.
func ailing(findings []lab.Finding) error {
	var bad []string
	for _, f := range findings {
		if f.Verdict == lab.VerdictBad {
			bad = append(bad, f.Target+" "+f.Check)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return &lab.Error{Op: "examine", Err: fmt.Errorf("bad: %s", strings.Join(bad, ", "))}
}

// wrapLines breaks a text into lines of at most width columns, at spaces. A longer word, such as a path, is
// not broken, so that it can be copied.
func wrapLines(text string, width int) (lines []string) {
	for paragraph := range strings.SplitSeq(text, "\n") {
		line, columns := "", 0
		for word := range strings.FieldsSeq(paragraph) {
			n := len([]rune(word))
			if columns > 0 && columns+1+n > width {
				lines = append(lines, line)
				line, columns = "", 0
			}
			if columns > 0 {
				line += " "
				columns++
			}
			line += word
			columns += n
		}
		lines = append(lines, line)
	}
	return lines
}
