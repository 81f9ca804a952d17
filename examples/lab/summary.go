package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

// stageSummary is a stage in the summary.
type stageSummary struct {
	Name    string `json:"name"`
	Changes int    `json:"changes"`
	Done    int    `json:"done"`
	Failed  int    `json:"failed"` // not done, for whatever reason
	Waits   string `json:"waits_for,omitempty"`
	LeftOut string `json:"left_out,omitempty"` // why the run is not about it
	Error   string `json:"error,omitempty"`
}

// cost is what a machine's connection has cost.
type cost struct {
	Connections int64 `json:"connections"`
	Execs       int64 `json:"execs"`
}

// object prints the summary for machines, which ends every run, and returns what people are shown of
// it. second is how many changes a second run would make; below 0 when there was none.
func (r *runner) object(results []pipeline.Result, second int, err error) (stages []stageSummary, trips map[string]cost,
	seconds float64) {
	r.summed = true
	stages, trips = make([]stageSummary, len(results)), map[string]cost{}
	changes, failed, all := 0, 0, outline(results)
	for i, s := range results {
		st := stageSummary{Name: s.Stage, Waits: s.Waits, LeftOut: s.LeftOut}
		st.Changes = all.Count(s.Stage)
		if s.Report != nil {
			st.Changes = len(s.Report.Results) // an earlier stage may have made the same change before
			st.Done = s.Report.Count(lab.StatusDone)
			st.Failed = len(s.Report.Results) - st.Done
		}
		if s.Err != nil {
			st.Error = s.Err.Error()
		}
		stages[i] = st
		changes += st.Changes
		failed += st.Failed
	}
	if r.site != nil {
		for _, m := range r.site.machines {
			s := m.Counters()
			trips[m.Name()] = cost{s.Connections, s.Execs}
		}
	}
	seconds = time.Since(r.started).Seconds()
	object := map[string]any{"stages": stages, "changes": changes, "failed": failed,
		"round_trips": trips, "seconds": seconds}
	if r.lab != nil {
		object["environment"] = r.lab.Environment
	}
	if second >= 0 {
		object["second_run_changes"] = second
	}
	if r.verb == "plan" && changes > 0 && err == nil {
		err = cli.ErrPending
	}
	r.out.Summary(object, err)
	return stages, trips, seconds
}

// summary ends a plan or an apply: a table for people, an object of type summary for machines.
func (r *runner) summary(results []pipeline.Result, second int, err error) {
	stages, trips, seconds := r.object(results, second, err)
	if r.out.Quiet {
		return
	}
	r.out.Printf("\n%s", table([]string{"STAGE", "CHANGES", "DONE", "NOT DONE", ""}, func(row func(...any)) {
		for i, s := range stages {
			row(s.Name, s.Changes, s.Done, s.Failed, note(results[i]))
		}
	}))
	times := timesOf(results)
	r.out.Printf("\n%s", table([]string{"MACHINE", "CHANGES", "TIME", "CONNECTIONS", "EXECS"}, func(row func(...any)) {
		for _, m := range r.site.machines {
			step := "host/" + m.Name()
			row(m.Name(), changesOf(results, step), fmt.Sprintf("%.1f s", times[step].Seconds()),
				trips[m.Name()].Connections, trips[m.Name()].Execs)
		}
	}))
	switch {
	case second == 0:
		r.out.Printf("\nA second run finds nothing to do. %.1f s.\n", seconds)
	case second > 0:
		r.out.Printf("\nA second run would make %d changes. %.1f s.\n", second, seconds)
	case r.verb == "apply":
		r.out.Printf("\n%s. %.1f s.\n", doneOf(stages), seconds)
	default:
		r.out.Printf("\nPlanned in %.1f s.\n", seconds)
	}
	if next := r.next(len(outline(results).Changes()), err); next != "" {
		r.out.Printf("next: %s\n", next)
	}
}

// doneOf says of all stages how much was done: "12 changes: 9 done, 3 not done".
func doneOf(stages []stageSummary) string {
	changes, done := 0, 0
	for _, s := range stages {
		changes, done = changes+s.Changes, done+s.Done
	}
	switch {
	case changes == 0:
		return "nothing was changed"
	case changes == done:
		return fmt.Sprintf("%d changes: all done", changes)
	}
	return fmt.Sprintf("%d changes: %d done, %d not done", changes, done, changes-done)
}

// timesOf returns how long each step took, over all stages.
func timesOf(results []pipeline.Result) map[string]time.Duration {
	times := map[string]time.Duration{}
	for _, r := range results {
		if r.Report != nil {
			for _, s := range r.Report.Steps {
				times[s.Name] += s.Took
			}
		}
	}
	return times
}

// changesOf returns how many changes a step has, over all stages.
func changesOf(results []pipeline.Result, step string) (n int) {
	for _, s := range outline(results).Sections {
		applied := slices.ContainsFunc(results, func(r pipeline.Result) bool { return r.Stage == s.Stage && r.Report != nil })
		if s.Step == step && !applied {
			n += len(s.Changes)
		}
	}
	for _, r := range results {
		if r.Report == nil {
			continue
		}
		for _, res := range r.Report.Results {
			if res.Step == step {
				n++
			}
		}
	}
	return n
}

// note says of a stage why its figures are not all that there is to say; "" when they are.
func note(r pipeline.Result) string {
	switch {
	case r.Waits != "":
		return "waits for " + r.Waits
	case r.LeftOut != "":
		return "left out: " + r.LeftOut
	case r.Err != nil:
		return "ended with an error"
	}
	return ""
}

// table returns rows under a heading, in columns.
func table(heading []string, fill func(row func(...any))) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(heading, "\t"))
	fill(func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, c)
		}
		fmt.Fprintln(w)
	})
	_ = w.Flush() // a strings.Builder takes everything
	lines := strings.Split(b.String(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n")
}

// machineStatus is a machine in the answer of status.
type machineStatus struct {
	Type string `json:"type"`
	Name string `json:"name"`

	// State is "as wanted", "N changes pending", "not known: ...", or what keeps it from being reached.
	State string `json:"state"`

	OS      string `json:"os,omitempty"`
	Kernel  string `json:"kernel,omitempty"`
	Uptime  string `json:"uptime,omitempty"`
	InSync  bool   `json:"time_in_sync"`
	Pending int    `json:"pending"`
}

// status shows what stands. A machine that cannot be reached is tried once: no stage is planned for it.
func (r *runner) status(ctx context.Context) error {
	machines := r.site.machines
	facts := make([]host.Facts, len(machines))
	errs := make([]error, len(machines))
	var wg sync.WaitGroup
	for i, m := range machines {
		wg.Go(func() { facts[i], errs[i] = m.Facts(ctx) })
	}
	wg.Wait()
	reached, down := *r.site, []string(nil)
	reached.machines = nil
	for i, m := range machines {
		if errs[i] == nil {
			reached.machines = append(reached.machines, m)
		} else {
			down = append(down, m.Name())
		}
	}
	results, err := pipeline.Pipeline{Stages: r.lab.stages(&reached), Only: r.only}.Plan(ctx)
	err = errors.Join(append(errs, err)...)
	rows := make([]machineStatus, len(machines))
	for i, m := range machines {
		rows[i] = statusOf(m.Name(), facts[i], errs[i], results)
		r.out.Object(rows[i])
	}
	r.out.Printf("%s", table([]string{"MACHINE", "OS", "KERNEL", "UP", "CLOCK", "STATE"}, func(row func(...any)) {
		for _, s := range rows {
			clock := "not in sync"
			switch {
			case s.OS == "":
				clock, s.Uptime = "", "" // it was not reached
			case s.InSync:
				clock = "in sync"
			}
			row(s.Name, s.OS, s.Kernel, s.Uptime, clock, s.State)
		}
	}))
	r.out.Printf("\n%s", table([]string{"STAGE", "STATE"}, func(row func(...any)) {
		for _, s := range results {
			state := "as wanted"
			if n := len(s.Plan.Changes()); n > 0 {
				state = pending(n)
			}
			if why := unknown(s); why != "" {
				state = why
			}
			if len(down) > 0 && s.Stage != databaseStage && s.Err == nil && s.Waits == "" {
				if state == "as wanted" || s.LeftOut != "" {
					state = "not known"
				}
				state += "; not reached: " + strings.Join(down, ", ")
			}
			row(s.Stage, state)
		}
	}))
	r.object(results, -1, err)
	return err
}

// statusOf returns what is known of a machine, err being why it cannot be reached.
func statusOf(name string, f host.Facts, err error, results []pipeline.Result) machineStatus {
	s := machineStatus{Type: "machine", Name: name, State: "as wanted",
		OS: f.OSName, Kernel: f.Kernel, Uptime: f.Uptime.Round(time.Second).String(), InSync: f.TimeInSync}
	for _, r := range results {
		for _, c := range r.Plan.Changes() {
			if strings.HasPrefix(c.ID, "host/"+name+"/") {
				s.Pending++
			}
		}
		if why := unknown(r); why != "" && r.LeftOut == "" && r.Stage != databaseStage && s.State == "as wanted" {
			s.State = "not known: " + r.Stage + " " + why
		}
	}
	switch {
	case err != nil && lab.Kind(err) != nil:
		s.State = lab.Kind(err).Error() // the whole of it is said at the end
	case err != nil:
		s.State = "not reached"
	case s.Pending > 0:
		s.State = pending(s.Pending)
	}
	return s
}

func pending(n int) string {
	if n == 1 {
		return "1 change pending"
	}
	return fmt.Sprintf("%d changes pending", n)
}

// unknown says why it is not known whether a stage is as wanted; "" when it is.
func unknown(s pipeline.Result) string {
	if s.Err != nil {
		return "cannot be planned"
	}
	return note(s)
}
